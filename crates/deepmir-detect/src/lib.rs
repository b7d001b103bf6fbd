//! From probability maps to lesions.
//!
//! A [`DetectionRule`] splits [`ProbabilityMaps`] into candidates; blob detection ([`Blobs`]) adds candidates that the
//! networks did not mark. A [`CandidateClassifier`] (gradient boosted trees over
//! [`Features`](candidate_classifier::Features)) scores each, and those that reach the threshold of their class are
//! lesions. Rule and classifier together are a [`Detection`]; [`operating_point`] chooses them on validation subjects.
//!
//! ```
//! use deepmir_detect::operating_point::{ValidationSubject, choose};
//! use deepmir_detect::ProbabilityMaps;
//! use deepmir_lesion::{LabelMap, LesionClass};
//! use deepmir_volume::{Affine, Grid, Volume};
//!
//! // A row of voxels with a lesion at 0.7 and a false positive at 0.4.
//! let grid = Grid::new([6, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
//! let map = Volume::new(grid, vec![0.0, 0.7, 0.7, 0.0, 0.4, 0.0]).unwrap();
//! let maps = ProbabilityMaps::new(vec![(LesionClass::Cmb, map)]).unwrap();
//! let mut truth = LabelMap::empty(grid);
//! truth.paint(&[1, 2], LesionClass::Cmb);
//!
//! let subject = ValidationSubject::new(&maps, &truth, None, None, None)?;
//! let point = choose(&[subject], &[LesionClass::Cmb], 1.0);
//! assert_eq!(point.mean_f1(), 1.0);
//! let (labels, _) = maps.detect(&point.detection, None, None)?;
//! assert_eq!(labels, truth);
//! # Ok::<(), deepmir_detect::DetectError>(())
//! ```

mod blobs;
pub mod candidate_classifier;
mod candidate_images;
mod detect;
mod error;
mod large;
mod neighbourhood;
pub mod operating_point;
mod plausibility;
mod probability_maps;
mod rule;

pub use candidate_classifier::CandidateClassifier;
pub use candidate_images::{CandidateImages, ClassLogOdds, PatchScorer};
pub use detect::ScoredCandidates;
pub use error::DetectError;
pub use large::large_regions;
pub use probability_maps::ProbabilityMaps;
pub use rule::{Blobs, ClassThreshold, Detection, DetectionRule};
