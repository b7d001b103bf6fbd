//! `deepmir annotate`.

use std::path::Path;

use deepmir_annotate::export::{Combine, export, import, write_pending};
use deepmir_annotate::server::{Options, serve};
use deepmir_annotate::visits::sheet::export_signed;
use deepmir_annotate::{Dataset, FindRegions, Store};
use deepmir_cases::bids;
use deepmir_cases::outputs::{check_derivatives_folder, check_not_written_over};
use deepmir_pipeline::anatomy::Anatomy;
use deepmir_volume::{Volume, nifti};

use crate::cli::{Annotate, CombineName, Labels};

pub fn run(arguments: &Annotate) -> anyhow::Result<()> {
    arguments.listen.check()?;
    let dataset = open(arguments)?;
    if let (Some(folder), Some(rater)) = (&arguments.import, &arguments.rater) {
        return import_marks(&dataset, folder, rater);
    }
    if let Some(folder) = &arguments.export {
        return export_marks(&dataset, folder, arguments);
    }
    let cases = dataset.cases.len();
    let out = dataset.out.clone();
    for case in &dataset.cases {
        // Raters must know if the side that they see is a guess.
        let Some(path) = case.reference() else { continue };
        let warnings = nifti::read_header(path).map(|header| header.warnings(path));
        for warning in warnings.unwrap_or_default() {
            tracing::warn!("{}: {warning}", case.id);
        }
    }
    let options = Options {
        dataset,
        rater: arguments.rater.clone(),
        host: arguments.listen.host,
        port: arguments.listen.port,
        find_regions: Some(find_regions()),
    };
    serve(options, |url| {
        print_line(url);
        tracing::info!(
            "{cases} cases; annotations are saved in {}; stop with Ctrl-C",
            out.display()
        );
    })?;
    Ok(())
}

/// Regions by the anatomy network, those close outside the tissue too: lesions reach beyond what is outlined.
pub fn find_regions() -> Box<FindRegions> {
    let anatomy = Anatomy::default();
    Box::new(move |image| {
        let regions = anatomy.regions(image)?;
        let grid = *image.grid();
        Ok(Volume::from_fn(grid, |voxel| {
            let place = regions.place(grid.position_mm(voxel));
            place.map_or(0, |place| place.mars as u8 + 1)
        }))
    })
}

/// A line, for programs that wait for it.
fn print_line(line: &str) {
    say!("{line}");
}

fn import_marks(dataset: &Dataset, folder: &Path, rater: &str) -> anyhow::Result<()> {
    let maps = bids::label_maps(folder)?;
    if maps.is_empty() {
        anyhow::bail!(
            "no lesion label maps (*_seg-lesions_dseg.nii.gz) here: {}",
            folder.display()
        );
    }
    for case in &dataset.cases {
        let given = maps.values().map(std::path::PathBuf::as_path);
        let own = |name: &str| name.contains(&format!("_desc-{rater}_dseg."));
        check_not_written_over(given, &dataset.out.join(&case.folder), &own)?;
    }
    let store = Store::open(&dataset.out)?;
    let imported = import(dataset, &store, rater, &maps)?;
    write_pending(dataset, &store)?;
    print_line(&format!("{imported} label maps imported as annotations of {rater}"));
    Ok(())
}

fn export_marks(dataset: &Dataset, folder: &Path, arguments: &Annotate) -> anyhow::Result<()> {
    let combine = match arguments.combine.unwrap_or(CombineName::One) {
        CombineName::One => Combine::One,
        CombineName::Union => Combine::Union,
        CombineName::Intersection => Combine::Intersection,
        CombineName::Adjudicated => Combine::Adjudicated,
    };
    check_derivatives_folder(folder, arguments.data.as_deref())?;
    for case in &dataset.cases {
        let given = case.candidates.as_deref();
        check_not_written_over(given, &folder.join(&case.folder), &|name| name.contains("_dseg."))?;
    }
    let store = Store::open(&dataset.out)?;
    write_pending(dataset, &store)?;
    if !arguments.visits.is_empty() {
        let done = export_signed(dataset, &store, folder, &arguments.raters)?;
        bids::write_dataset_description(folder)?;
        if !done.unfinished.is_empty() {
            tracing::warn!("skipped, not signed: {}", done.unfinished.join(", "));
        }
        print_line(&format!("{} signed readings in {}", done.written, folder.display()));
        return Ok(());
    }
    let possible = !arguments.without_possible;
    std::fs::create_dir_all(folder)
        .map_err(|error| anyhow::anyhow!("cannot write ({error}): {}", folder.display()))?;
    bids::write_dataset_description(folder)?;
    let done = export(dataset, &store, folder, &arguments.raters, combine, possible)?;
    if done.written == 0 {
        anyhow::bail!("no case is finished by all requested raters; nothing was exported");
    }
    if !done.unfinished.is_empty() {
        tracing::warn!("skipped, not finished: {}", done.unfinished.join(", "));
    }
    print_line(&format!("{} label maps in {}", done.written, folder.display()));
    Ok(())
}

fn open(arguments: &Annotate) -> anyhow::Result<Dataset> {
    let Labels { participant_label, session_label } = &arguments.only;
    let out = arguments.derivatives.as_deref();
    Ok(match &arguments.data {
        Some(data) => {
            let candidates = arguments.candidates.as_deref();
            Dataset::from_bids(data, participant_label, session_label, candidates, out)?
        }
        None => Dataset::from_visits(&arguments.visits, participant_label, session_label, out)?,
    })
}
