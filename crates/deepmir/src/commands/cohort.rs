//! `deepmir cohort`.

use deepmir_cases::{Cohort, NnunetDataset, nnunet_to_bids};
use deepmir_pipeline::anatomy::Anatomy;
use deepmir_volume::nifti::ReadOptions;

use super::{chosen, warn_of};
use crate::cli::{self, Common, FromNnunet, Nnunet};
use crate::progress::Progress;

pub fn run(arguments: &cli::Cohort, common: &Common) -> anyhow::Result<()> {
    match arguments {
        cli::Cohort::Nnunet(arguments) => nnunet(arguments, common),
        cli::Cohort::FromNnunet(arguments) => from_nnunet(arguments, common),
    }
}

fn from_nnunet(arguments: &FromNnunet, common: &Common) -> anyhow::Result<()> {
    let FromNnunet { data, output, channels } = arguments;
    let mut bar = None;
    let made = nnunet_to_bids(data, channels, output, &mut |done, total| {
        let bar = bar.get_or_insert_with(|| Progress::new("writing", total as u64, common));
        bar.set(done as u64, String::new);
    });
    bar.iter().for_each(Progress::finish);
    let (with_labels, without) = made?;
    say!("{with_labels} scans with a label map, {without} without");
    say!("{}", output.display());
    Ok(())
}

fn nnunet(arguments: &Nnunet, common: &Common) -> anyhow::Result<()> {
    let mut cohort = Cohort::read(&arguments.data, arguments.labels.as_deref())?;
    if let Some(table) = &arguments.groups {
        let known = cohort.subjects().into_iter().collect();
        cohort.groups.add_table(table, &known)?;
    }
    warn_of(&cohort.warnings);
    let cohort = chosen(cohort, &arguments.only)?;
    let inputs = match arguments.inputs.as_slice() {
        [] => NnunetDataset::common_inputs(&cohort),
        inputs => inputs.to_vec(),
    };
    let dataset = NnunetDataset {
        number: arguments.number,
        name: arguments.name.clone(),
        inputs,
        folds: usize::from(arguments.folds),
        seed: arguments.seed,
    };
    let options = ReadOptions { nan_to_zero: arguments.nan_to_zero };
    let anatomy = Anatomy::default();
    let mut progress = Progress::new("writing", cohort.cases.len() as u64, common);
    let folder =
        dataset.write(&cohort, &arguments.output, &options, Some(&anatomy), &mut |done, _| {
            progress.set(done as u64, String::new);
        });
    progress.finish();
    let (folder, warnings) = folder?;
    warn_of(&warnings);
    say!("{}", folder.display());
    Ok(())
}
