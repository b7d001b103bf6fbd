//! A complete model: everything that finding lesions in a scan needs.
//!
//! A [`Bundle`] holds networks, thresholds and classifiers, in a folder or one file; some are [`shipped`] with the program.
//! A [`Detector`] is a bundle ready to run. [`train()`] trains one network, [`cross_validation`] joins those of the folds to one model,
//! [`tune()`] chooses the thresholds of a finished one anew and [`adapt()`] fine-tunes its candidate classifier.

pub mod bundle;
pub mod cross_validation;
mod detector;
mod error;
pub mod shipped;
mod train;
mod tune;

pub use bundle::{Bundle, ModelSettings, Provenance};
pub use detector::{Detected, Detector};
pub use error::ModelError;
pub use train::train;
pub use tune::{adapt, tune};
