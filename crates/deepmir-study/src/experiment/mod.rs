//! The study: which inputs tell, on anyone's cohort.
//!
//! A [`StudyConfig`] names a cohort and what is to be compared: each [`Arm`] is a set of inputs, a
//! set of classes and a variant of a preset. A [`StudyPlan`] crosses arms with folds and seeds to
//! [`Cell`]s, each of which trains, chooses thresholds on subjects of the training side, predicts
//! the subjects held out and keeps what it said ([`queue`]). [`collect`](collect()) turns what was
//! kept into tables and a page. Folds, seeds and budgets are the same for every arm, so arms are
//! compared in pairs, subject by subject.

mod arm;
mod cell;
mod checksums;
mod choices;
mod collect;
mod comparison;
mod config;
mod document;
mod errors;
mod estimate;
mod gallery;
mod groups;
mod kept;
mod people;
mod plan;
mod plots;
mod queue;
mod scan;
mod sections;
mod split;
mod statistics;
mod strata;
mod summary;
mod tables;

pub use arm::Arm;
pub use cell::{Cell, CellEvent, Done};
pub use choices::Choices;
pub use collect::{Collected, Results, collect};
pub use comparison::Comparison;
pub use config::{
    EvaluationSettings, Incomplete, SplitMethod, SplitSettings, StudyConfig, Variant,
};
pub use estimate::{Estimate, estimate};
pub use groups::Groups;
pub use plan::StudyPlan;
pub use queue::{CellState, run_cell, states};
pub use split::Fold;
pub use statistics::holm;
pub use summary::SummaryRow;
