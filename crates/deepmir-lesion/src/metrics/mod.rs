//! How well predicted lesions agree with true ones.
//!
//! [`score`](score()) compares two label maps of one subject; [`pool`] pools many subjects, each
//! number with a bootstrap interval over subjects; [`froc()`] follows sensitivity against false
//! positives over thresholds; [`Confusion`] counts which class was predicted for which;
//! [`agreement`](agreement()) compares two raters of whom neither is the truth;
//! [`valdo_score`] gives the measures of a public challenge, [`reloaded_score`] those that Metrics Reloaded recommends,
//! by their own rules.
//!
//! Empty references: sensitivity, F1 and Dice of a subject without true lesions are undefined, not
//! 0 or 1, and left out of means over subjects; its false positives count all the same. Precision
//! is undefined where nothing was predicted.

mod agreement;
mod bootstrap;
mod confusion;
mod froc;
mod pool;
mod proportion;
mod reloaded;
mod score;
mod size;
mod valdo;

pub use agreement::{
    Agreement, Disagreement, RatedScan, agreement, cohen_kappa, disagreements, icc_2_1,
};
pub use bootstrap::{Bootstrap, Estimate};
pub use confusion::Confusion;
pub use froc::{Detections, FALSE_POSITIVE_RATES, Froc, FrocPoint, froc};
pub use pool::{METRICS, Metric, PooledClass, pool, pool_units};
pub use proportion::{Z95, wilson};
pub use reloaded::{RELOADED_MEASURES, ReloadedScore, SURFACE_TOLERANCE_MM, reloaded_score};
pub use score::{ClassScore, SubjectScore, score};
pub use size::{SIZE_CLASSES, SizeClass, SizeCounts};
pub use valdo::{Spread, VALDO_MEASURES, ValdoScore, valdo_score};
