//! What can go wrong between probability maps and lesions.

/// Why candidates could not be found or scored.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// A rule or a classifier that contradicts itself.
    #[error("{reason}")]
    Invalid {
        /// What is wrong.
        reason: String,
    },
    /// A candidate threshold that validation subjects were not tried at.
    #[error(
        "the candidate threshold {threshold} is none of those that are tried ({}); choose thresholds with \
         `deepmir model tune` instead",
        list(tried)
    )]
    UntriedThreshold {
        /// The threshold asked for.
        threshold: f32,
        /// Those that are tried.
        tried: Vec<f32>,
    },
    /// The patch classifier failed.
    #[error("the patch classifier failed: {reason}")]
    PatchScorer {
        /// What it said.
        reason: String,
    },
}

fn list(thresholds: &[f32]) -> String {
    thresholds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
