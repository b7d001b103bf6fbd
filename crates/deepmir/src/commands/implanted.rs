//! Lesions implanted in the scans of a dataset, as scans to learn from.

use std::path::{Path, PathBuf};

use anyhow::bail;
use deepmir_cases::Cohort;
use deepmir_cases::cohort::dataset_name;
use deepmir_study::implanted::{ImplantedCohort, SourceScans, source_of};

use super::chosen;
use crate::cli::Labels;

/// What to implant, and in what.
pub(super) struct Implanting<'a> {
    /// The dataset.
    pub data: &'a Path,
    /// The folder of its label maps, where it is given.
    pub labels: Option<&'a Path>,
    /// The scans to take.
    pub only: &'a Labels,
    /// The folder of the implanted scans.
    pub folder: PathBuf,
    /// Copies of each scan.
    pub copies: u16,
}

/// Implanted scans, and the scans that they were made from.
pub(super) struct Implanted {
    pub learned_from: ImplantedCohort,
    pub sources: SourceScans,
    /// What is learned from, in words.
    pub in_words: String,
}

impl Implanting<'_> {
    /// The scans to learn from. Label maps of copies of labelled scans are written to the folder `scratch`.
    pub(super) fn run(&self, scratch: &Path) -> anyhow::Result<Implanted> {
        // Before minutes of reading.
        let mut sources = SourceScans::read(self.data, self.labels)?;
        self.write()?;
        std::fs::create_dir_all(scratch)?;
        let mut learned_from = ImplantedCohort::read(&self.folder, &sources, scratch)?;
        let kept = self.chosen(&learned_from)?;
        learned_from.retain(self.copies.into(), |source| kept.iter().any(|kept| kept == source));
        sources.cases.retain(|case| kept.contains(&case.id));
        let in_words = learned_from.in_words(&dataset_name(self.data));
        tracing::info!("learning from {in_words}");
        Ok(Implanted { learned_from, sources, in_words })
    }

    /// That the implanted scans are there, in the folder.
    fn write(&self) -> anyhow::Result<()> {
        if !self.folder.join("dataset_description.json").is_file() {
            bail!(
                "there are no implanted scans here; write some with `deepmir implant`, and name their folder with --implanted: \
                 {}",
                self.folder.display()
            );
        }
        Ok(())
    }

    /// The sources that were asked for.
    fn chosen(&self, all: &ImplantedCohort) -> anyhow::Result<Vec<String>> {
        let mut cohort = Cohort { cases: all.cohort.cases.clone(), ..Cohort::default() };
        for case in &mut cohort.cases {
            case.id = source_of(&case.id).unwrap_or_else(|| std::mem::take(&mut case.id));
        }
        Ok(chosen(cohort, self.only)?.cases.into_iter().map(|case| case.id).collect())
    }
}
