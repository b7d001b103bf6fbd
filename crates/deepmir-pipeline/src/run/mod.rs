//! Cohorts, unattended: every subject of a BIDS dataset from raw echoes or maps to lesions, tables and
//! pages.
//!
//! A subject is the unit of work: [`subjects()`] finds them, [`Planner`] decides for each of their
//! scans what to do and why, [`participants`] does it, a few subjects at a time, under a [`Lock`](crate::lock::Lock)
//! each. A [`SubjectStatus`] records what was done, from which inputs and with which settings; a stage whose
//! [`fingerprint`] is the same is not done again.

mod discover;
pub mod fingerprint;
pub(crate) mod memory;
mod options;
mod plan;
mod runner;
mod stages;
mod status;
mod subject;
mod timeline;
mod worker;

pub use crate::lock::Holder;
pub use discover::{Subject, subject_names, subjects};
pub use memory::default_budget_gb;
pub use options::{Event, RunOptions};
pub use plan::{Decision, Planner, ScanPlan, Source};
pub use runner::{Summary, participants};
pub use status::{ScanStatus, StageRecord, State, SubjectStatus, read_all, status_folder};
pub use timeline::COLUMNS as TIMELINE_COLUMNS;
