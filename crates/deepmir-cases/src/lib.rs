//! Which scans there are, where their files lie and how they are read.
//!
//! A [`Modality`] is a kind of image, [`CaseFiles`] say where a scan's images are, a [`Case`] holds them on one grid.
//! [`bids`] knows the names of the Brain Imaging Data Structure, a [`Cohort`] lists the scans of a dataset or a table,
//! [`folds`] splits it by subject, never by scan. Listing the files of a dataset needs no network and compiles none.

pub mod bids;
mod brain;
mod case;
pub mod cohort;
mod echoes;
mod error;
pub mod folds;
mod groups;
mod modality;

pub use brain::{NotStripped, of_stripped};
pub use case::{Case, CaseFiles};
pub use cohort::Cohort;
pub use echoes::EchoParts;
pub use error::CaseError;
pub use groups::{Groups, beside_truth};
pub use modality::Modality;
