//! From probability maps to lesions.
//!
//! [`ProbabilityMaps`] fall into candidates by a [`DetectionRule`]; blob detection ([`Blobs`]) adds candidates that the
//! networks do not mark; a [`CandidateClassifier`](candidate_classifier::CandidateClassifier) (gradient boosted trees
//! over [`Features`](candidate_classifier::Features)) scores each, and those that reach their class's threshold are
//! lesions. Rule and classifier together are a [`Detection`]; [`operating_point`] chooses them on validation subjects.

mod blobs;
pub mod candidate_classifier;
mod candidate_images;
mod detect;
mod error;
mod neighbourhood;
pub mod operating_point;
mod probability_maps;
mod rule;

pub use candidate_classifier::CandidateClassifier;
pub use candidate_images::{CandidateImages, ClassLogOdds, PatchScorer};
pub use detect::ScoredCandidates;
pub use error::DetectError;
pub use probability_maps::ProbabilityMaps;
pub use rule::{Blobs, ClassThreshold, Detection, DetectionRule};
