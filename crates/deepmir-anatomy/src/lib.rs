//! Where in a head one is: brain mask, parcellation and regions from an image of any contrast.

mod error;
pub mod synthesis;
mod tissue;

pub use error::AnatomyError;
pub use tissue::{Side, Tissue};
