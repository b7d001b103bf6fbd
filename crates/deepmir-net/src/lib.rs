//! The networks: from images to lesion probabilities, and how they learn to.
//!
//! A [`Plan`] says which images a network sees and how they are brought to it; an [`Architecture`] what it looks like;
//! [`Weights`] hold its numbers apart from any framework. A case becomes [`Prepared`] input; [`infer`] turns that into
//! probability maps, a [`PatchClassifier`] scores the patches around candidates, and [`train`] trains both. Burn is behind
//! [`UNet`] and nowhere else in the workspace.

pub mod architecture;
pub mod augment;
mod cpu;
mod device;
mod error;
pub mod infer;
mod network;
pub mod patch_classifier;
mod placement;
mod plan;
mod prepare;
pub mod preset;
pub mod train;
mod unet;
mod weights;

pub use architecture::Architecture;
pub use device::DeviceChoice;
pub use error::NetError;
pub use patch_classifier::PatchClassifier;
pub use placement::Placement;
pub use plan::{Normalisation, Plan};
pub use prepare::Prepared;
pub use unet::UNet;
pub use weights::{Precision, Tensor, WeightFile, Weights};
