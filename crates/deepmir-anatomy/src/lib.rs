//! Where in a head one is: brain mask, parcellation and regions from an image of any contrast.

mod tissue;

pub use deepmir_lesion::Side;
pub use tissue::Tissue;
