//! The network: from images to lesion probabilities, and how it learns to.
//!
//! A [`Plan`] says which images a network sees and how they are brought to it; an
//! [`Architecture`] what it looks like; [`Weights`] hold its numbers apart from any framework.
//! [`CaseFiles`] become a [`Case`], a case [`Prepared`] input. [`train`] makes a [`Bundle`] of all
//! that, [`infer`] uses one. Burn is behind [`UNet`] and nowhere else in the workspace.

pub mod architecture;
pub mod augment;
mod brain;
pub mod bundle;
mod case;
pub mod closer_look;
mod cpu;
mod device;
mod error;
pub mod infer;
mod modality;
mod placement;
mod plan;
mod prepare;
pub mod preset;
pub mod shipped;
pub mod train;
mod unet;
mod weights;

pub use architecture::Architecture;
pub use bundle::Bundle;
pub use case::{Case, CaseFiles};
pub use closer_look::CloserLook;
pub use device::DeviceChoice;
pub use error::NetError;
pub use modality::Modality;
pub use placement::Placement;
pub use plan::{Normalisation, Plan};
pub use prepare::Prepared;
pub use unet::UNet;
pub use weights::{Precision, Tensor, Weights};
