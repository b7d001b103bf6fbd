//! Lesions: from label maps to tables, and from two sets of lesions to their agreement.
//!
//! [`lesions_of`] splits a [`LabelMap`] into [`Lesion`]s; a [`Candidate`] is a region that may be one.
//! [`MeasuredImages`] measures them for the rows of a [`table`], [`matching`] pairs the lesions of two
//! maps, and [`metrics`] counts, pools, resamples and compares.
//!
//! ```
//! use deepmir_lesion::metrics::score;
//! use deepmir_lesion::{LabelMap, LesionClass};
//! use deepmir_lesion::matching::MatchRule;
//! use deepmir_volume::components::Connectivity;
//! use deepmir_volume::{Affine, Grid};
//!
//! let grid = Grid::new([8, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
//! let (mut truth, mut predicted) = (LabelMap::empty(grid), LabelMap::empty(grid));
//! truth.paint(&[1, 2], LesionClass::Cmb);
//! predicted.paint(&[2, 3], LesionClass::Cmb);
//! predicted.paint(&[6], LesionClass::Cmb);
//! let classes = [LesionClass::Cmb];
//! let (rule, connectivity) = (MatchRule::Overlap, Connectivity::TwentySix);
//! let subject = score("sub-01", &truth, &predicted, &classes, rule, connectivity);
//! let cmb = subject.of(LesionClass::Cmb).unwrap();
//! assert_eq!((cmb.matched, cmb.false_positives(), cmb.missed()), (1, 1, 0));
//! assert_eq!(cmb.dice(), Some(0.4));
//! ```

mod assignment;
mod candidate;
mod class;
mod count_interval;
mod error;
mod label_map;
mod lesion;
mod mars;
pub mod matching;
mod measure;
pub mod metrics;
mod microbleeds;
mod over_visits;
mod place;
mod rating;
mod region;
mod row;
pub mod shape;
pub mod table;
mod unknown;

pub use candidate::Candidate;
pub use class::LesionClass;
pub use count_interval::{COUNT_LEVEL, CountInterval};
pub use error::LesionError;
pub use label_map::LabelMap;
pub use lesion::{Lesion, diameter_of_ball_mm, largest_piece, lesions_of, numbered};
pub use mars::{Lobe, MarsRegion};
pub use measure::MeasuredImages;
pub use microbleeds::{Boston2, MicrobleedCounts, Pattern, RegionSource};
pub use over_visits::{Change, Severity};
pub use place::{BasalGanglia, FindPlace, Place, Side};
pub use rating::{BombsSize, Certainty, DEFINITE_PROBABILITY, LARGEST_MICROBLEED_MM};
pub use region::{BrainExtent, Region};
pub use row::LesionRow;
pub use unknown::{KnownPredictions, is_unknown, leaves_out};
