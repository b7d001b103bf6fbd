//! Lesions: from label and probability maps to tables, and from two sets of lesions to how well
//! they agree.
//!
//! A [`LabelMap`] falls apart into [`Lesion`]s ([`lesions_of`]); [`ProbabilityMaps`] become
//! lesions by a [`DetectionRule`], perhaps after a [`second_look`]; [`MeasuredImages`] turns them into the rows of a [`table`];
//! [`matching`] pairs the lesions of two maps, and [`metrics`] counts, pools, resamples and
//! compares.

mod candidate;
mod class;
mod detection;
mod error;
mod label_map;
mod lesion;
pub mod matching;
mod measure;
pub mod metrics;
pub mod operating_point;
mod region;
pub mod second_look;
pub mod shape;
pub mod table;

pub use candidate::Candidate;
pub use class::LesionClass;
pub use detection::{ClassThreshold, DetectionRule, ProbabilityMaps};
pub use error::LesionError;
pub use label_map::LabelMap;
pub use lesion::{Lesion, diameter_of_ball_mm, lesions_of};
pub use measure::{LesionRow, MeasuredImages};
pub use region::{BrainBox, Region};
