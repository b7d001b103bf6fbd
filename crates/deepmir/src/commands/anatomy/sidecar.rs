//! The JSON file beside a parcellation.

use std::path::PathBuf;

use deepmir_anatomy::{Quality, Verdict};
use deepmir_volume::Warning;
use serde::Serialize;

/// A file that a result was made from.
#[derive(Clone, Debug)]
pub struct Source {
    pub path: PathBuf,
    pub sha256: String,
}

/// What the results were made from, and whether to trust them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Sidecar<'a> {
    description: &'static str,
    sources: [&'a PathBuf; 1],
    #[serde(rename = "SourcesSHA256")]
    sources_sha256: [&'a str; 1],
    /// `None` for the program's own.
    weights: Option<&'a PathBuf>,
    #[serde(rename = "WeightsSHA256")]
    weights_sha256: Option<&'a str>,
    verdict: &'static str,
    reasons: &'a [String],
    entropy: f64,
    brain_volume_ml: f64,
    intracranial_volume_ml: f64,
    symmetry: f64,
    cut: Cut,
    warnings: &'a [Warning],
    generated_by: GeneratedBy,
}

/// Part of the brain's largest cross-section that lies in the first or last slice of the field.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Cut {
    left: f64,
    right: f64,
    back: f64,
    front: f64,
    bottom: f64,
    top: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GeneratedBy {
    name: &'static str,
    version: &'static str,
}

impl<'a> Sidecar<'a> {
    pub fn of(
        source: &'a Source,
        weights: Option<&'a Source>,
        quality: &'a Quality,
        warnings: &'a [Warning],
    ) -> Self {
        let (verdict, reasons): (_, &[String]) = match &quality.verdict {
            Verdict::Good => ("good", &[]),
            Verdict::Doubtful(reasons) => ("doubtful", reasons),
            Verdict::Refused(reasons) => ("refused", reasons),
        };
        let [[left, right], [back, front], [bottom, top]] = quality.cut;
        Self {
            description: "Parcellation of a head by a neural network: research software, not a medical device",
            sources: [&source.path],
            sources_sha256: [&source.sha256],
            weights: weights.map(|weights| &weights.path),
            weights_sha256: weights.map(|weights| weights.sha256.as_str()),
            verdict,
            reasons,
            entropy: quality.entropy,
            brain_volume_ml: quality.brain_ml,
            intracranial_volume_ml: quality.intracranial_ml,
            symmetry: quality.symmetry,
            cut: Cut { left, right, back, front, bottom, top },
            warnings,
            generated_by: GeneratedBy { name: "deepmir", version: env!("CARGO_PKG_VERSION") },
        }
    }
}
