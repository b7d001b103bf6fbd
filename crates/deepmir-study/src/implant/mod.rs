//! Copies of a dataset's scans with lesions of known size in them, and their truth.

mod copies;
mod names;
mod scan;
mod write;

use std::path::{Path, PathBuf};

use deepmir_cases::bids::{self, Filters, Scan};
use deepmir_cases::outputs::check_own_dataset;
use deepmir_cases::{CaseError, CaseFiles, choose};
use deepmir_phantom::implant::{ImplantConfig, Ladder};
use deepmir_pipeline::recon::ReconSettings;
use deepmir_recon::input::ReadOptions;
use deepmir_volume::Volume;
use serde::{Deserialize, Serialize};

use crate::StudyError;

/// As `GeneratedBy` has it.
const GENERATOR: &str = "deepmir implant";

/// What is put into scans.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Implants {
    /// Lesions and mimics drawn from their distributions.
    Random(Box<ImplantConfig>),
    /// A fixed set of sizes, strengths and sites, each as often as the others.
    Ladder(Ladder),
}

/// A dataset of implanted scans that is to be made.
#[derive(Clone, Debug)]
pub struct ImplantPlan {
    /// What is put into scans.
    pub implants: Implants,
    /// Copies of each scan.
    pub copies: usize,
    /// Seed of the whole dataset.
    pub seed: u64,
    /// Subjects (`01` or `sub-01`) that are taken; all, if there are none.
    pub subjects: Vec<String>,
    /// Sessions that are taken; all, if there are none.
    pub sessions: Vec<String>,
    /// Whether scans with raw echoes are changed in their maps, too.
    pub maps_only: bool,
    /// Whether changed echoes are reconstructed, and maps written in their place.
    pub reconstruct: bool,
    /// The folder of label maps of the scans' own lesions, if there are some: implants keep clear of them.
    pub labels: Option<PathBuf>,
    /// Which files are taken where a scan has several of a kind.
    pub filters: Filters,
    /// How raw echoes are reconstructed, where a model is asked what it calls in them, and how SWI and QSM were made, where
    /// there are no raw echoes.
    pub recon: ReconSettings,
    /// How images are to be understood.
    pub read: ReadOptions,
    /// Echo time of the SWI in seconds, tesla, and echo time of the T2w image in seconds, where sidecars do not tell.
    pub protocol: ProtocolDefaults,
}

/// What is taken for granted where no sidecar tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProtocolDefaults {
    /// Echo time of the SWI or T2*-weighted magnitude in seconds.
    pub echo_time_s: Option<f64>,
    /// Tesla.
    pub field_strength_t: Option<f64>,
    /// Echo time of the T2w image in seconds; 0.095 where neither this nor a sidecar tells.
    pub t2w_echo_time_s: Option<f64>,
}

impl Default for ImplantPlan {
    fn default() -> Self {
        Self {
            implants: Implants::Random(Box::default()),
            copies: 1,
            seed: 1,
            subjects: Vec::new(),
            sessions: Vec::new(),
            maps_only: false,
            reconstruct: false,
            labels: None,
            filters: Filters::default(),
            recon: ReconSettings::default(),
            read: ReadOptions::default(),
            protocol: ProtocolDefaults::default(),
        }
    }
}

/// Tells what a model calls in a scan: implants keep clear of it, and nobody knows whether it is right.
pub trait NativeCalls {
    /// The model's name and checksum, by which copies know whether they were made with it.
    fn id(&self) -> String;

    /// The label map of what is called, on the scan's grid.
    ///
    /// # Errors
    /// If the scan cannot be read or lacks an image that the model needs.
    fn calls(&self, scan: &CaseFiles) -> Result<Volume<u8>, StudyError>;
}

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// A copy was finished by an earlier run.
    Skipped {
        /// `sub-01_ses-implant01`.
        copy: &'a str,
    },
    /// A step begins.
    Step {
        /// The scan or copy.
        scan: &'a str,
        /// The step, in a word or two.
        step: &'static str,
    },
    /// Something to be told of a scan or a copy.
    Noticed {
        /// The scan or copy.
        scan: &'a str,
        /// What.
        message: &'a str,
    },
    /// A copy is on disk.
    Finished {
        /// `sub-01_ses-implant01`.
        copy: &'a str,
        /// How many sources it holds.
        sources: usize,
        /// How long it took.
        seconds: f64,
    },
    /// A scan could not be implanted; the others go on.
    Failed {
        /// The scan.
        scan: &'a str,
        /// Why, and what to do.
        reason: &'a str,
    },
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Copies made by this run.
    pub made: usize,
    /// Copies that an earlier run had finished.
    pub skipped: usize,
    /// Sources that are in the copies of this run.
    pub sources: usize,
    /// Sources that found no room.
    pub without_room: usize,
    /// Scans that failed, and why.
    pub failures: Vec<String>,
}

/// How many copies a plan has for a dataset: for a progress bar.
///
/// # Errors
/// As [`write_dataset`], before anything is written.
pub fn copies_of(dataset: &Path, plan: &ImplantPlan) -> Result<usize, StudyError> {
    Ok(chosen(dataset, plan)?.len() * plan.copies)
}

/// Makes a dataset of implanted scans, or what is missing of it. Files appear whole or not at all, a copy's record last, so
/// that a run that was killed goes on with the copy it had begun. Copies are sessions of their subject
/// (`ses-implant01`, `ses-2implant01`), so that one person's stay together wherever subjects are split.
///
/// A scan with raw echoes is changed in them (`deepmir_phantom::implant::implant_echoes`); its maps are left out, to be
/// reconstructed. Other scans are changed in their maps, which is an approximation. `native` tells what a model calls in a
/// scan; without it, sources keep clear of what is dark.
///
/// # Errors
/// If the plan is impossible, the dataset has no scans, or the folder holds another dataset or copies that were made with
/// other settings. A scan that fails does not stop the others: see [`Summary::failures`].
pub fn write_dataset(
    dataset: &Path,
    out: &Path,
    plan: &ImplantPlan,
    native: Option<&dyn NativeCalls>,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<Summary, StudyError> {
    match &plan.implants {
        Implants::Random(config) => config.validate()?,
        Implants::Ladder(ladder) => ladder.validate()?,
    }
    if plan.copies == 0 {
        let reason = "0 copies make no dataset; give 1 or more".to_owned();
        return Err(StudyError::Subjects { reason });
    }
    let scans = chosen(dataset, plan)?;
    check_own_dataset(out, GENERATOR)?;
    write::descriptions(out)?;
    let mut summary = Summary::default();
    let mut number = 0;
    for scan in &scans {
        let first = number;
        number += plan.copies;
        if let Err(error) = copies::make(scan, out, plan, first, native, &mut summary, report) {
            if matches!(error, StudyError::OtherSettings { .. }) {
                return Err(error);
            }
            let reason = error.to_string();
            report(Event::Failed { scan: &scan.id, reason: &reason });
            summary.failures.push(format!("{}: {reason}", scan.id));
        }
    }
    if summary.made + summary.skipped == 0 {
        let reason = format!("no scan could be implanted\n  {}", summary.failures.join("\n  "));
        return Err(StudyError::Subjects { reason });
    }
    Ok(summary)
}

/// The scans that have something to implant into.
fn chosen(dataset: &Path, plan: &ImplantPlan) -> Result<Vec<Scan>, StudyError> {
    let mut scans = Vec::new();
    for subject in bids::subject_folders(dataset)? {
        scans.extend(bids::scans_of(&subject.name, &subject.path, &plan.filters)?);
    }
    if plan.maps_only {
        scans.iter_mut().for_each(|scan| scan.echoes = Ok(Vec::new()));
    }
    scans.retain(|scan| {
        !scan.images.is_empty() || scan.echoes.as_ref().is_ok_and(|echoes| !echoes.is_empty())
    });
    if scans.is_empty() {
        return Err(CaseError::NoScans { path: dataset.to_owned() }.into());
    }
    choose(
        &mut scans,
        (&plan.subjects, |scan: &Scan| &scan.subject),
        (&plan.sessions, |scan| scan.session.as_deref()),
        dataset,
    )?;
    scans.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(scans)
}

#[cfg(test)]
mod tests;
