//! The settings of a run, and the events that it reports.

use std::path::PathBuf;

use deepmir_cases::LabelKind;
use deepmir_cases::bids::Scan;
use deepmir_model::Bundle;
use deepmir_net::DeviceChoice;
use deepmir_net::infer::InferenceOptions;
use deepmir_volume::nifti::ReadOptions;

use super::status::SubjectStatus;
use super::{Planner, ScanPlan, Subject};
use crate::recon::ReconSettings;

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Folder of the derivatives.
    pub out: PathBuf,
    /// Folder of intermediate maps of the reconstruction, which nothing reads again; `out` without one.
    pub work: Option<PathBuf>,
    /// Only these sessions (without `ses-`); empty for all.
    pub sessions: Vec<String>,
    /// Sessions in their order in time, as the user states it; empty if it is to be found.
    pub session_order: Vec<String>,
    /// Models in order of preference: the first whose images are there is used.
    pub models: Vec<Bundle>,
    /// Where networks run.
    pub device: DeviceChoice,
    /// How slices are run.
    pub inference: InferenceOptions,
    /// How images are read.
    pub read: ReadOptions,
    /// Reconstruction and alignment.
    pub recon: ReconSettings,
    /// Subjects at once.
    pub jobs: usize,
    /// Memory that subjects may use together.
    pub memory_gb: f64,
    /// Read every input again, even if its size and time have not changed.
    pub rehash: bool,
    /// Do everything again.
    pub force: bool,
    /// A scan with any warning fails, and no result is written for it.
    pub strict: bool,
    /// Files for other viewers are written too.
    pub viewer_files: bool,
}

impl RunOptions {
    /// Decides by the models of this run.
    pub fn planner(&self) -> Planner<'_> {
        Planner { models: self.models.iter().map(|model| &model.settings).collect() }
    }

    /// Plans of a subject's scans, of the selected sessions.
    pub fn plans(&self, subject: &Subject) -> Vec<ScanPlan> {
        let planner = self.planner();
        let scans = subject.scans.as_deref().unwrap_or_default();
        self.of_sessions(scans).map(|scan| planner.plan(scan)).collect()
    }

    pub(super) fn of_sessions<'a>(&'a self, scans: &'a [Scan]) -> impl Iterator<Item = &'a Scan> {
        let wanted = |scan: &&Scan| {
            let session = scan.session.as_deref();
            let selected = |name: &String| session == Some(LabelKind::Session.bare(name));
            self.sessions.is_empty() || self.sessions.iter().any(selected)
        };
        scans.iter().filter(wanted)
    }
}

/// Progress of a run.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A scan has come to a step.
    Step {
        /// The scan.
        scan: &'a str,
        /// What is being done.
        what: &'a str,
    },
    /// A scan waits for memory that others use.
    Waiting {
        /// The scan.
        scan: &'a str,
        /// What it needs.
        need_gb: f64,
    },
    /// Another process works on a subject; the run tries again later.
    Busy {
        /// The subject.
        subject: &'a str,
        /// Its process.
        holder: &'a str,
    },
    /// A subject is finished.
    Finished {
        /// What became of it.
        status: &'a SubjectStatus,
        /// Whether anything was to be done.
        news: bool,
    },
}
