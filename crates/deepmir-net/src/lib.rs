//! The networks: preprocessing, the 2D U-Net, the 3D patch classifier, their training and inference.
//!
//! A [`Plan`] says which images a network takes and how they are preprocessed, an [`Architecture`] which layers it has;
//! [`Weights`] are independent of any framework. A case becomes [`Prepared`] input, [`infer`] turns that into probability
//! maps, a [`PatchClassifier`] scores the patches around candidates, and [`train`] trains both. The kernels
//! of `deepmir-kernels` compute on the CPU; with the feature `gpu`, Burn computes on GPUs.
//!
//! ```
//! use deepmir_cases::Modality;
//! use deepmir_lesion::LesionClass;
//! use deepmir_net::{Precision, Weights, preset};
//!
//! // A network for microbleeds in SWI alone.
//! let preset = preset::deepmir().with(&[Modality::Swi], &[LesionClass::Cmb]);
//! preset.plan.validate()?;
//! assert_eq!(preset.architecture.input_channels, preset.plan.context_slices);
//!
//! let weights = Weights::initial(&preset.architecture, 1);
//! weights.validate(&preset.architecture)?;
//! let bytes = weights.to_safetensors(Precision::Single)?;
//! assert_eq!(Weights::from_safetensors(&bytes)?, weights);
//! # Ok::<(), deepmir_net::NetError>(())
//! ```

pub mod architecture;
pub mod augment;
mod cpu;
mod device;
mod error;
#[cfg_attr(not(feature = "gpu"), path = "no_gpu.rs")]
mod gpu;
pub mod infer;
mod network;
pub mod onnx;
pub mod optimiser;
pub mod patch_classifier;
mod placement;
mod plan;
mod prepare;
pub mod preset;
#[cfg(test)]
mod test_fixtures;
pub mod train;
mod weights;

pub use architecture::Architecture;
pub use device::DeviceChoice;
pub use error::NetError;
pub use patch_classifier::PatchClassifier;
pub use placement::Placement;
pub use plan::{Normalisation, Plan};
pub use prepare::Prepared;
pub use weights::{Precision, Tensor, WeightFile, Weights, he_normal};
