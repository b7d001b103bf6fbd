//! What the results of `deepmir compare` say.

use std::path::{Path, PathBuf};

use deepmir_cases::Modality;
use deepmir_volume::Affine;
use serde::Deserialize;
use serde_json::Value;

use crate::AnnotateError;
use crate::results::image_of_results;

/// No sidecar is longer.
const MOST_BYTES: u64 = 16 << 20;

/// The part of `*_desc-visits.json` that a reader needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Sidecar {
    /// The visit before.
    pub baseline: Visit,
    /// The visit that is read.
    pub followup: Visit,
    /// Whether the scans show lesions alike.
    pub comparability: Comparability,
    /// How they lie to each other.
    registration: Registration,
    /// Names of the label maps of both, beside the sidecar.
    pub label_maps: Option<[String; 2]>,
    /// Findings too large for a microbleed, over both visits; those of earlier versions do not say.
    #[serde(default)]
    large_findings: Vec<Value>,
    /// The program's proposal.
    #[serde(rename = "ARIAH")]
    pub aria_h: Value,
    /// The model that found the lesions.
    pub model: String,
    /// Its checksum.
    pub model_id: String,
}

/// One visit.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Visit {
    /// Its scan.
    pub scan: String,
    /// Its images.
    pub sources: Vec<Source>,
    /// Its brain mask, if one was given.
    pub mask: Option<PathBuf>,
}

/// An image of a visit.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Source {
    /// What it is.
    pub modality: Modality,
    /// Where it was.
    path: PathBuf,
    /// What it was.
    #[serde(rename = "SHA256")]
    pub sha256: String,
}

impl Source {
    /// Where the image is: where it was, as seen from here or from the results.
    ///
    /// # Errors
    /// If it is at neither place.
    pub fn found(&self, sidecar: &Path) -> Result<PathBuf, AnnotateError> {
        image_of_results(&self.path, sidecar)
    }
}

/// Whether the scans show lesions alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Comparability {
    /// In a word.
    pub verdict: String,
    /// Why not.
    pub reasons: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Registration {
    followup_to_baseline: Option<[[f64; 4]; 4]>,
}

impl Sidecar {
    /// Reads it.
    ///
    /// # Errors
    /// A file that cannot be read, or that is none of these.
    pub fn read(path: &Path) -> Result<Self, AnnotateError> {
        let io = |source| AnnotateError::Io { path: path.to_owned(), source };
        let length = std::fs::metadata(path).map_err(io)?.len();
        if length > MOST_BYTES {
            return Err(AnnotateError::Results {
                path: path.to_owned(),
                reason: format!("it has {length} bytes"),
            });
        }
        let bytes = std::fs::read(path).map_err(io)?;
        serde_json::from_slice(&bytes).map_err(|error| AnnotateError::Results {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    /// From the follow-up's millimetres to the baseline's.
    ///
    /// # Errors
    /// Results that do not say it, or a movement that is none.
    pub fn followup_to_baseline(&self, path: &Path) -> Result<Affine, AnnotateError> {
        let rows = self.registration.followup_to_baseline;
        rows.and_then(Affine::from_rows).ok_or_else(|| AnnotateError::Results {
            path: path.to_owned(),
            reason: "it does not say how the visits lie to each other".to_owned(),
        })
    }

    /// Findings too large for a microbleed that the follow-up alone shows.
    pub fn new_large_findings(&self) -> usize {
        self.large_findings.iter().filter(|finding| finding["Baseline"].is_null()).count()
    }

    /// The follow-up's brain mask, if one was given and is still there.
    pub fn followup_mask(&self, path: &Path) -> Option<PathBuf> {
        self.followup.mask.as_ref().and_then(|mask| image_of_results(mask, path).ok())
    }
}
