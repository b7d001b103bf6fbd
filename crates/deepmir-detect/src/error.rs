//! Errors of candidate detection and classification.

/// Why candidates could not be found or scored.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// A rule or a classifier that contradicts itself.
    #[error("{reason}")]
    Invalid {
        /// What is wrong.
        reason: String,
    },
    /// A candidate threshold at which validation subjects were not evaluated.
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
    /// The patch classifier failed, or did not score every candidate.
    #[error("the patch classifier failed: {reason}")]
    PatchScorer {
        /// Its message.
        reason: String,
    },
}

fn list(thresholds: &[f32]) -> String {
    thresholds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
