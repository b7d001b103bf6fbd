//! Cohorts and experiments: which subjects there are ([`Cohort`], [`bids`]), how they are split
//! ([`folds`]), one subject from files to lesions ([`predict`]), whole datasets unattended ([`run`])
//! and what came of them together ([`group`]), many subjects against the truth ([`evaluate`]), many
//! networks against each other ([`experiment`]), raters against each other ([`raters`]), a finished model's thresholds
//! anew ([`tune`]).

pub mod bids;
mod candidates;
pub mod cohort;
mod error;
pub mod evaluate;
pub mod experiment;
pub mod folds;
pub mod group;
mod page;
pub mod predict;
pub mod quality;
pub mod raters;
pub mod recon;
pub mod run;
pub mod tune;

pub use cohort::Cohort;
pub use error::StudyError;
pub use page::program;
