//! Training of the U-Net: from subjects to the weights of the best validation.

mod checkpoint;
mod config;
mod engine;
mod files;
mod history;
mod lesions;
mod loader;
mod loss;
mod preparing;
mod sampler;
mod saved;
mod state;
mod store;
mod synthetic;
mod trainer;
mod training;

pub use crate::patch_classifier::PatchClassifierConfig;
pub use config::{LossConfig, SamplingConfig, TrainingConfig};
pub(crate) use engine::{StepSettings, TrainingEngine, TrainingState};
pub use history::{History, Validation};
pub use lesions::{LesionCensus, NOT_VALIDATED, TrainingSides};
pub(crate) use loss::loss;
#[cfg(feature = "gpu")]
pub(crate) use loss::{SMOOTH, UNKNOWN};
pub use sampler::{Batch, Sampler};
pub use saved::SavedSettings;
pub use store::{LesionSite, StoredCase};
pub use synthetic::{SyntheticStream, SyntheticSubjects};
pub use training::{Event, Trained, Training, program};
