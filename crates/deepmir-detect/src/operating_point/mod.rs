//! Choosing the operating point of a [`Detection`] on validation subjects: its thresholds and its candidate classifier.

mod adapt;
mod by_inputs;
mod candidate_threshold;
mod choose;
mod classifier;
mod counts;
mod same_calls;
mod smoothing;
mod tune;
mod units;
mod validation;

pub use adapt::{Adapted, MeasuredSubject, adapt, warm_started};
pub use by_inputs::{CalibratedThreshold, TunedForInputs, for_inputs};
pub use candidate_threshold::CandidateThreshold;
pub use choose::{choose, choose_at};
pub use tune::{
    MIN_LESIONS_TO_TUNE, ScoredSubject, ThresholdChoice, ThresholdCounts, TunedThreshold, tune,
};
pub use units::units;
pub use validation::{Site, ValidationSubject, View};

use std::collections::BTreeMap;

use deepmir_lesion::LesionClass;

use crate::Detection;

/// A detection, with its performance on the subjects that it was chosen on.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatingPoint {
    /// Thresholds and classifier.
    pub detection: Detection,
    /// Thresholds and calibration of scans with one set of images, by the set's name, of the classes that had enough lesions;
    /// empty unless there is a classifier and several sets.
    pub by_inputs: BTreeMap<String, BTreeMap<LesionClass, CalibratedThreshold>>,
    /// For each class, pooled lesion F1 (`None` without true lesions).
    pub f1: Vec<(LesionClass, Option<f64>)>,
    /// For each class, average precision at the candidate threshold.
    pub average_precision: Vec<(LesionClass, Option<f64>)>,
}

impl OperatingPoint {
    /// Mean F1 over the classes that have one; 0 if none has.
    pub fn mean_f1(&self) -> f64 {
        mean(&self.f1)
    }

    /// Mean average precision over the classes that have one; 0 if none has.
    pub fn mean_average_precision(&self) -> f64 {
        mean(&self.average_precision)
    }
}

fn mean(values: &[(LesionClass, Option<f64>)]) -> f64 {
    let defined: Vec<f64> = values.iter().filter_map(|(_, value)| *value).collect();
    if defined.is_empty() { 0.0 } else { defined.iter().sum::<f64>() / defined.len() as f64 }
}
