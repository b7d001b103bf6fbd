//! Lesions implanted in the scans of a dataset, as scans to learn from.

use std::path::{Path, PathBuf};

use deepmir_cases::Cohort;
use deepmir_cases::cohort::dataset_name;
use deepmir_model::Bundle;
use deepmir_study::implant::{ImplantPlan, Implants};
use deepmir_study::implanted::{ImplantedCohort, SourceScans, source_of};
use deepmir_volume::nifti::ReadOptions;

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
    /// Copies of each scan to be made; `None` if they are there.
    pub copies: Option<u16>,
    /// How images are read.
    pub read: ReadOptions,
}

/// Implanted scans, and the scans that they were made from.
pub(super) struct Implanted {
    pub learned_from: ImplantedCohort,
    pub sources: SourceScans,
    /// What is learned from, in words.
    pub in_words: String,
}

impl Implanting<'_> {
    /// The scans to learn from. What `model` calls in the untouched scans is unknown. Label maps of copies of labelled scans
    /// are written to the folder `scratch`.
    pub(super) fn run(
        &self,
        model: &Bundle,
        scratch: &Path,
        common: &Common,
    ) -> anyhow::Result<Implanted> {
        // Before minutes of reading.
        let mut sources = SourceScans::read(self.data, self.labels)?;
        if let Some(copies) = self.copies {
            self.write(copies, &sources, model, common)?;
        }
        std::fs::create_dir_all(scratch)?;
        let mut learned_from = ImplantedCohort::read(&self.folder, &sources, scratch)?;
        let kept = self.chosen(&learned_from)?;
        let copies = self.copies.map_or(usize::MAX, usize::from);
        learned_from.retain(copies, |source| kept.iter().any(|kept| kept == source));
        sources.cases.retain(|case| kept.contains(&case.id));
        let in_words = learned_from.in_words(&dataset_name(self.data));
        tracing::info!("learning from {in_words}");
        Ok(Implanted { learned_from, sources, in_words })
    }

    /// Implants lesions in the maps of the scans; copies that are there are not made again.
    fn write(
        &self,
        copies: u16,
        sources: &SourceScans,
        model: &Bundle,
        common: &Common,
    ) -> anyhow::Result<()> {
        let settings = ImplantSettings::of(common)?;
        let mut plan = ImplantPlan {
            implants: Implants::Random(Box::new(settings.random)),
            copies: copies.into(),
            subjects: self.only.participant_label.clone(),
            sessions: self.only.session_label.clone(),
            // Copies of raw echoes would have to be reconstructed before anything can learn from them.
            maps_only: true,
            labels: sources.labels.clone(),
            recon: recon::without_parts(common)?,
            protocol: settings.protocol,
            ..ImplantPlan::default()
        };
        plan.read.non_finite_as_zero = self.read.nan_to_zero;
        let native = native_calls(model.clone(), self.read.nan_to_zero, common)?;
        let summary = implant(self.data, &self.folder, &plan, Some(&native), common);
        // Each was told when it failed.
        let failed = summary?.failures.len();
        if failed > 0 {
            tracing::warn!("nothing is learned from {failed} scans that failed");
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
