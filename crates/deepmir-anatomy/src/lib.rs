//! Where in a head one is: brain mask, parcellation and regions from an image of any contrast.

mod tissue;

mod regions;
mod registration;
mod template;

pub use deepmir_lesion::Side;
pub use regions::{Distances, Regions};
pub use tissue::Tissue;
