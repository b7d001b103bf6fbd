//! `deepmir export`.

use deepmir_dicom::{ExportOptions, export};

use super::NOT_A_DEVICE;
use crate::cli::{Common, Export};
use crate::progress::with_steps;

pub fn run(arguments: &Export, common: &Common) -> anyhow::Result<()> {
    let Export { instances, maps, series, .. } = *arguments;
    let options = ExportOptions { instances, maps, series };
    let Export { results, dicom, output, .. } = arguments;
    let exported =
        with_steps("reading", common, |step| export(results, dicom, output, options, step))?;
    for scan in &exported {
        if !scan.confirmed {
            tracing::warn!(
                "{}: its images are not where the results say, or --series was given: that the series is the right one is \
                 known by its grid alone; compare a slice",
                scan.scan
            );
        }
        let series = scan.series.map_or("without a number".to_owned(), |number| number.to_string());
        let lesions = if scan.lesions == 1 { "lesion" } else { "lesions" };
        say!("{}: {} {lesions} on series {series}", scan.scan, scan.lesions);
        scan.files.iter().for_each(|path| say!("  {}", path.display()));
    }
    tracing::info!("{NOT_A_DEVICE}");
    Ok(())
}
