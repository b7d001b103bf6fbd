//! The status of a subject on disk: `status/sub-01.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::fingerprint::InputFile;
use crate::PipelineError;
use deepmir_cases::bids::{ScanTimes, write_json};
use deepmir_volume::Warning;

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// All that could be done is done.
    Done,
    /// There is nothing to do.
    Skipped,
    /// An error stopped it.
    Failed,
}

impl State {
    /// As tables have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// A stage that was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// Checksum of everything that it depends on.
    pub key: String,
    /// What it read.
    pub inputs: Vec<InputFile>,
    /// What it wrote, relative to the output folder, with sizes in bytes.
    pub outputs: BTreeMap<PathBuf, u64>,
    /// Wall-clock time.
    pub seconds: f64,
}

impl StageRecord {
    /// Whether the stage need not be done again: the same key, and every output there and whole.
    pub fn holds(&self, key: &str, out: &Path) -> bool {
        let there = |(path, bytes): (&PathBuf, &u64)| {
            std::fs::metadata(out.join(path)).is_ok_and(|metadata| metadata.len() == *bytes)
        };
        self.key == key && self.outputs.iter().all(there)
    }

    /// Sizes of outputs, by their path below `out`.
    ///
    /// # Errors
    /// If one is not there.
    pub fn sizes(out: &Path, paths: &[PathBuf]) -> Result<BTreeMap<PathBuf, u64>, PipelineError> {
        let size = |path: &PathBuf| {
            let metadata = std::fs::metadata(path)
                .map_err(|source| PipelineError::Read { path: path.clone(), source })?;
            Ok((path.strip_prefix(out).unwrap_or(path).to_owned(), metadata.len()))
        };
        paths.iter().map(size).collect()
    }
}

/// The status of a scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScanStatus {
    /// `sub-01_ses-2`.
    pub id: String,
    /// How it ended.
    pub state: State,
    /// What was to be done and why; of a scan that was skipped or failed, what is the matter.
    pub reasons: Vec<String>,
    /// Name and checksum of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<(String, String)>,
    /// From raw echoes to maps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recon: Option<StageRecord>,
    /// T2w onto the SWI's grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub align: Option<StageRecord>,
    /// From maps to lesions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predict: Option<StageRecord>,
    /// Lesions of each class.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lesions: BTreeMap<String, usize>,
    /// What was noticed in its images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// When it was made, if its subject has several sessions.
    #[serde(default, skip_serializing_if = "is_unknown")]
    pub times: ScanTimes,
}

fn is_unknown(times: &ScanTimes) -> bool {
    *times == ScanTimes::default()
}

/// The status of a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubjectStatus {
    /// `sub-01`.
    pub subject: String,
    /// The worst of its scans: failed before skipped before done.
    pub state: State,
    /// What is wrong with the subject as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The program that wrote this.
    pub program: String,
    /// Where it ran.
    pub host: String,
    /// When it ended, seconds after 1970.
    pub finished_unix_s: u64,
    /// Its scans.
    pub scans: Vec<ScanStatus>,
    /// Lesions followed over sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<StageRecord>,
    /// Problems that did not stop the subject.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Where status files lie.
pub fn status_folder(out: &Path) -> PathBuf {
    out.join("status")
}

impl SubjectStatus {
    /// Nothing done yet.
    pub fn new(subject: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            subject: subject.to_owned(),
            state: State::Done,
            reason: None,
            program: crate::program(),
            host: crate::lock::host(),
            finished_unix_s: now.map_or(0, |now| now.as_secs()),
            scans: Vec::new(),
            timeline: None,
            warnings: Vec::new(),
        }
    }

    /// Where a subject's status lies.
    pub fn path(out: &Path, subject: &str) -> PathBuf {
        status_folder(out).join(format!("{subject}.json"))
    }

    /// Reads it; `None` if there is none, or none that this program understands (it will be made again).
    pub fn read(out: &Path, subject: &str) -> Option<Self> {
        let text = std::fs::read_to_string(Self::path(out, subject)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, out: &Path) -> Result<(), PipelineError> {
        Ok(write_json(&Self::path(out, &self.subject), self)?)
    }

    /// A scan's part.
    pub fn scan(&self, id: &str) -> Option<&ScanStatus> {
        self.scans.iter().find(|scan| scan.id == id)
    }

    /// What did not stop the subject, but must be known: of the subject, and of each scan.
    pub fn all_warnings(&self) -> Vec<String> {
        let own = self.warnings.iter().map(|warning| format!("{}: {warning}", self.subject));
        let scans = self
            .scans
            .iter()
            .flat_map(|scan| scan.warnings.iter().map(|warning| format!("{}: {warning}", scan.id)));
        own.chain(scans).collect()
    }

    /// Why it is not done: the subject's reason, or those of its scans.
    pub fn problems(&self) -> Vec<String> {
        let scans = self.scans.iter().filter(|scan| scan.state == self.state);
        let scans = scans.map(|scan| format!("{}: {}", scan.id, scan.reasons.join("; ")));
        match (&self.reason, self.state) {
            (Some(reason), _) => vec![format!("{}: {reason}", self.subject)],
            (None, State::Done) => Vec::new(),
            (None, _) => scans.collect(),
        }
    }
}

/// Every status below an output folder, by subject.
///
/// # Errors
/// A folder without any, or a file that cannot be understood.
pub fn read_all(out: &Path) -> Result<Vec<SubjectStatus>, PipelineError> {
    let folder = status_folder(out);
    let entries = std::fs::read_dir(&folder)
        .map_err(|source| PipelineError::Read { path: folder.clone(), source })?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("sub-"))
        })
        .collect();
    paths.sort();
    let statuses = paths.iter().map(|path| {
        let text = std::fs::read_to_string(path)
            .map_err(|source| PipelineError::Read { path: path.clone(), source })?;
        serde_json::from_str(&text).map_err(|error| PipelineError::Table {
            path: path.clone(),
            reason: format!("no status of this version ({error}); run the participant level again"),
        })
    });
    statuses.collect()
}
