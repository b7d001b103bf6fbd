//! `deepmir cohort`.

use deepmir_cases::{Cohort, NnunetDataset};
use deepmir_pipeline::anatomy::Anatomy;
use deepmir_volume::nifti::ReadOptions;

use super::{chosen, warn_of};
use crate::cli::{self, Common, Nnunet};
use crate::progress::Progress;

pub fn run(arguments: &cli::Cohort, common: &Common) -> anyhow::Result<()> {
    match arguments {
        cli::Cohort::Nnunet(arguments) => nnunet(arguments, common),
    }
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
