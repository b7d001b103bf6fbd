//! Experiments: many subjects against the truth ([`evaluate`]), raters against each other ([`raters`]), implants of known
//! size against what is found of them ([`qualify`]), published data sets ([`external`]), and many networks against each other (the study).
//!
//! A study's [`StudyConfig`] names a cohort and what is to be compared: each [`Arm`] is a set of inputs, a set of classes and a
//! variant of a preset. A [`StudyPlan`] crosses arms with folds and seeds to [`Cell`]s, each of which trains, chooses
//! thresholds on subjects of the training side, predicts the subjects held out and stores the predictions ([`run_cell`]).
//! [`collect`] turns these into tables and a page. Folds, seeds and budgets are the same for every arm, so arms are compared
//! in pairs, subject by subject.
//!
//! ```
//! // Holm's correction for the number of comparisons.
//! let corrected = deepmir_study::holm(&[0.01, 0.04, 0.03, 0.005]);
//! for (p, expected) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
//!     assert!((p - expected).abs() < 1e-12);
//! }
//! ```

mod collect;
mod error;
pub mod evaluate;
pub mod external;
pub mod implant;
pub mod implanted;
mod page;
mod plan;
pub mod qualify;
pub mod raters;
mod results;
mod run;

pub use collect::{Collected, collect};
pub use error::StudyError;
pub use plan::{
    Arm, Cell, EvaluationSettings, Factors, Fold, Incomplete, SplitMethod, SplitSettings,
    StudyConfig, StudyPlan, Variant,
};
pub use results::{Comparison, Results, SummaryRow, holm};
pub use run::{CellEvent, CellState, Done, Estimate, estimate, run_cell, states};
