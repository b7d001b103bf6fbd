//! Lesions implanted in the scans of a dataset, as scans to learn from.

use std::path::{Path, PathBuf};

use deepmir_cases::Cohort;
use deepmir_cases::cohort::dataset_name;
use deepmir_model::Bundle;
use deepmir_study::StudyError;
use deepmir_study::implant::{ImplantPlan, Implants};
use deepmir_study::implanted::{ImplantedCohort, SourceScans, source_of};

use super::implant::{ImplantSettings, implant, native_calls};
use super::{chosen, recon};
use crate::cli::{Common, Labels};

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
    /// Seed of what is implanted.
    pub seed: u64,
    /// The model whose calls nobody knows to be right.
    pub model: Bundle,
    /// Whether missing voxel values count as zero.
    pub nan_to_zero: bool,
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
    pub(super) fn run(&self, scratch: &Path, common: &Common) -> anyhow::Result<Implanted> {
        // Before minutes of reading.
        let mut sources = SourceScans::read(self.data, self.labels)?;
        self.write(common)?;
        std::fs::create_dir_all(scratch)?;
        let mut learned_from = ImplantedCohort::read(&self.folder, &sources, scratch)?;
        let kept = self.chosen(&learned_from)?;
        learned_from.retain(self.copies.into(), |source| kept.iter().any(|kept| kept == source));
        sources.cases.retain(|case| kept.contains(&case.id));
        let in_words = learned_from.in_words(&dataset_name(self.data));
        tracing::info!("learning from {in_words}");
        Ok(Implanted { learned_from, sources, in_words })
    }

    /// Makes the implanted scans that are missing in the folder. Those that were made with other settings are taken as they
    /// are.
    fn write(&self, common: &Common) -> anyhow::Result<()> {
        let settings = ImplantSettings::of(common)?;
        let mut plan = ImplantPlan {
            implants: Implants::Random(Box::new(settings.random)),
            copies: self.copies.into(),
            seed: self.seed,
            subjects: self.only.participant_label.clone(),
            sessions: self.only.session_label.clone(),
            reconstruct: true,
            labels: self.labels.map(Path::to_owned),
            recon: recon::configured(common)?,
            protocol: settings.protocol,
            ..ImplantPlan::default()
        };
        plan.read.non_finite_as_zero = self.nan_to_zero;
        let native = native_calls(self.model.clone(), self.nan_to_zero, common)?;
        match implant(self.data, &self.folder, &plan, Some(&native), common) {
            Err(StudyError::OtherSettings { path }) => {
                tracing::warn!(
                    "the implanted scans are taken as they are, having been made with other settings: {}",
                    path.display()
                );
                Ok(())
            }
            Err(error) => Err(error.into()),
            Ok(summary) => {
                let failed = summary.failures;
                if !failed.is_empty() {
                    tracing::warn!(
                        "left out, as nothing could be implanted: {}",
                        failed.join("; ")
                    );
                }
                Ok(())
            }
        }
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
