//! Lesions: from label and probability maps to tables, and from two sets of lesions to how well
//! they agree.
//!
//! [`lesions_of`] splits a [`LabelMap`] into [`Lesion`]s; a [`Candidate`] is a region that may be one.
//! [`MeasuredImages`] measures them for the rows of a [`table`], [`matching`] pairs the lesions of two
//! maps, and [`metrics`] counts, pools, resamples and compares.

mod candidate;
mod class;
mod error;
mod label_map;
mod lesion;
pub mod matching;
mod measure;
pub mod metrics;
mod region;
pub mod shape;
pub mod table;

pub use candidate::Candidate;
pub use class::LesionClass;
pub use error::LesionError;
pub use label_map::LabelMap;
pub use lesion::{Lesion, diameter_of_ball_mm, largest_piece, lesions_of};
pub use measure::{LesionRow, MeasuredImages};
pub use region::{BrainExtent, Region};
