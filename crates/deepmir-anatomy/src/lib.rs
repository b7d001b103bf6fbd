//! Where in a head one is: brain mask, parcellation and regions from an image of any contrast.

mod error;
mod loss;
mod network;
mod parcellation;
mod regions;
mod registration;
pub mod synthesis;
mod template;
mod tissue;
pub mod train;

pub use deepmir_lesion::Side;
pub use error::AnatomyError;
pub use network::VOXEL_MM;
pub use parcellation::{
    AnatomyModel, CoarseParcellation, Parcellation, Quality, StructureVolume, Verdict, brain_mask,
};
pub use regions::{Distances, Regions};
pub use template::template_brain;
pub use tissue::Tissue;
