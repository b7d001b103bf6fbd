//! Training.

mod config;
mod loss;

pub use config::{LossConfig, SamplingConfig, TrainingConfig};
pub use loss::loss;
