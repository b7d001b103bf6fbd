//! Training of the U-Net: from subjects to the weights of the best validation.

mod average;
mod checkpoint;
mod config;
mod history;
mod loader;
mod loss;
mod sampler;
mod saved;
mod state;
mod store;
mod synthetic;
mod trainer;
mod training;

pub use crate::patch_classifier::PatchClassifierConfig;
pub use config::{LossConfig, SamplingConfig, TrainingConfig};
pub use history::{History, Validation};
pub use loss::loss;
pub use sampler::{Batch, Sampler};
pub use saved::SavedSettings;
pub use store::{LesionSite, StoredCase};
pub use synthetic::{SyntheticStream, SyntheticSubjects};
pub use training::{Event, Trained, Training, program};
