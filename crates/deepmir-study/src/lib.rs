//! Cohorts and experiments: which subjects there are ([`Cohort`], [`bids`]), how they are split
//! ([`folds()`]), one subject from files to lesions ([`predict`]), many subjects against the truth
//! ([`evaluate`]), raters against each other ([`raters`]).

pub mod bids;
pub mod cohort;
mod error;
pub mod evaluate;
pub mod folds;
mod page;
pub mod predict;
pub mod raters;
pub mod recon;

pub use cohort::Cohort;
pub use error::StudyError;
pub use page::program;
