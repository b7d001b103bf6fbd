//! Where in a head one is: brain mask, parcellation and regions from an image of any contrast.

mod loss;
mod network;
mod tissue;
mod train;

pub use network::VOXEL_MM;
pub use tissue::{Side, Tissue};
