//! Training.

mod average;
mod checkpoint;
mod config;
mod ensemble;
mod fresh;
mod history;
mod loader;
mod look_closer;
mod loss;
mod sampler;
mod saved;
mod state;
mod store;
mod trainer;

pub use config::{CloserLookConfig, LossConfig, SamplingConfig, TrainingConfig};
pub use ensemble::{Choosing, join_folds};
pub use fresh::{Fresh, FreshSubjects};
pub use history::{History, Validation};
pub use loss::loss;
pub use sampler::{Batch, Sampler};
pub use saved::SavedSettings;
pub use store::{LesionSite, StoredCase};
pub use trainer::{Event, Training};
