//! Stored predictions against the truth: tables, comparisons, statistics.

pub(crate) mod comparison;
pub(crate) mod mistakes;
pub(crate) mod paired;
pub(crate) mod read;
pub(crate) mod scan;
pub(crate) mod statistics;
pub(crate) mod strata;
pub(crate) mod summary;
pub(crate) mod tables;

pub use comparison::Comparison;
pub use read::Results;
pub use statistics::holm;
pub use summary::SummaryRow;
