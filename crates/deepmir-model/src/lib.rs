//! A complete model: everything that finding lesions in a scan needs.
//!
//! A [`Bundle`] holds networks, thresholds and classifiers, in a folder or one file; some are [`shipped`] with the program.
//! A [`Detector`] is a model on a device. [`train()`] trains one network, [`cross_validation`] joins the networks of the
//! folds to one model, [`tune()`] chooses the thresholds of a finished model anew and [`adapt()`] fine-tunes its candidate
//! classifier.
//!
//! ```
//! use deepmir_lesion::LesionClass;
//! use deepmir_model::{Detector, shipped};
//! use deepmir_net::DeviceChoice;
//!
//! let bundle = shipped::MODELS[0].open()?;
//! let detector = Detector::new(bundle, DeviceChoice::Cpu)?;
//! // `detector.detect(&files, …)` scores the candidates of a scan; the rule accepts those above its thresholds.
//! let rule = &detector.detection().rule;
//! assert!(rule.threshold(LesionClass::Cmb).is_some());
//! # Ok::<(), deepmir_model::ModelError>(())
//! ```

pub mod bundle;
pub mod cross_validation;
mod detector;
mod error;
mod export;
mod imported;
pub mod shipped;
mod train;
pub mod training_range;
mod tune;

pub use bundle::{Bundle, ModelSettings, Provenance};
pub use detector::{Detected, Detector};
pub use error::ModelError;
pub use train::train;
pub use training_range::TrainingRange;
pub use tune::{TunedInputs, adapt, measure_range, tune};
