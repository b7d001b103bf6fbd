//! Stored predictions against the truth: tables, comparisons, statistics.

pub(crate) mod collect;
pub(crate) mod comparison;
pub(crate) mod mistakes;
pub(crate) mod scan;
pub(crate) mod statistics;
pub(crate) mod strata;
pub(crate) mod summary;
pub(crate) mod tables;

pub use collect::{Collected, Results, collect};
pub use comparison::Comparison;
pub use statistics::holm;
pub use summary::SummaryRow;
