//! How a patch classifier is trained.

use serde::{Deserialize, Serialize};

use super::PatchClassifierSettings;
use crate::NetError;

/// How patch classifiers are trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchClassifierConfig {
    /// Slices, rows and columns of a patch in the plan's voxels.
    pub size: [usize; 3],
    /// Channels of each level.
    pub widths: Vec<usize>,
    /// Width of the hidden layer.
    pub hidden: usize,
    /// Number of networks: each is trained on all folds of the subjects but one, whose candidates it scores.
    pub networks: usize,
    /// Least number of true candidates; with fewer, no patch classifier is trained.
    pub min_lesions: usize,
    /// Optimiser steps of each network.
    pub steps: u64,
    /// Patches a step.
    pub batch_size: usize,
    /// Highest learning rate, reached after the first tenth of the steps; then it falls along a half cosine.
    pub learning_rate: f64,
    /// Decoupled weight decay (AdamW).
    pub weight_decay: f32,
    /// Dropout rate of the features and of the hidden layer.
    pub dropout: f64,
    /// Label smoothing: share of a label that is spread over all outputs.
    pub label_smoothing: f32,
    /// Largest shift of a patch's centre, in slices, rows and columns.
    pub shift: [usize; 3],
    /// Modality dropout: share of patches without some of the optional images.
    pub modality_dropout: f64,
}

impl PatchClassifierConfig {
    /// The learning rate of a step (the first is 0).
    pub fn learning_rate_at(&self, step: u64) -> f64 {
        let warmup = (self.steps / 10).max(1);
        if step < warmup {
            return self.learning_rate * (step + 1) as f64 / warmup as f64;
        }
        let progress = (step - warmup) as f64 / (self.steps - warmup).max(1) as f64;
        self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }

    /// The settings of the networks, without weights.
    pub fn settings(&self) -> PatchClassifierSettings {
        PatchClassifierSettings {
            size: self.size,
            widths: self.widths.clone(),
            hidden: self.hidden,
            weights: Vec::new(),
        }
    }

    /// Checks that networks can be trained so.
    ///
    /// # Errors
    /// Naming the setting that is out of range.
    pub fn validate(&self) -> Result<(), NetError> {
        let invalid = |reason: &str| Err(NetError::Config { reason: reason.to_owned() });
        if self.steps == 0 || self.batch_size < 2 || self.networks < 2 {
            return invalid(
                "patch_classifier needs steps, and a batch_size and networks of two or more",
            );
        }
        let share = |share: f64| (0.0..1.0).contains(&share);
        if !share(self.dropout)
            || !share(self.modality_dropout)
            || !share(self.label_smoothing.into())
        {
            return invalid("shares of patch_classifier must be from 0 to 1");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite())
            || self.shift.iter().any(|&shift| shift > 64)
        {
            return invalid("learning_rate or shift of patch_classifier makes no sense");
        }
        self.settings().validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset;

    #[test]
    fn impossible_patch_classifiers_are_refused_before_anything_is_trained() {
        let reason = |change: &dyn Fn(&mut PatchClassifierConfig)| {
            let mut config = preset::deepmir().training;
            change(config.patch_classifier.as_mut().unwrap());
            config.validate(8).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(reason(&|_| {}), "");
        assert!(reason(&|patches| patches.networks = 1).contains("two or more"));
        assert!(reason(&|patches| patches.dropout = 1.0).contains("from 0 to 1"));
        assert!(reason(&|patches| patches.learning_rate = f64::NAN).contains("learning_rate"));
        assert!(reason(&|patches| patches.size = [12, 24, 7]).contains("halved"));
        assert!(reason(&|patches| patches.size[0] = usize::MAX).contains("256"));
        assert!(reason(&|patches| patches.widths.clear()).contains("widths"));
        let patches = preset::deepmir().training.patch_classifier.unwrap();
        let (first, top) =
            (patches.learning_rate_at(0), patches.learning_rate_at(patches.steps / 10));
        assert!(first < 0.01 * top && (top - patches.learning_rate).abs() < 1e-9);
        assert!(patches.learning_rate_at(patches.steps - 1) < 1e-5 * top);
    }
}
