//! How a network is trained.

use serde::{Deserialize, Serialize};

use crate::NetError;
use crate::augment::AugmentConfig;
use crate::patch_classifier::PatchClassifierConfig;

/// Everything that decides the outcome of a training besides the data, the plan and the architecture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Seed of every random generator.
    pub seed: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Patches a step.
    pub batch_size: usize,
    /// Width and height of a patch in voxels; multiples of [`Architecture::size_multiple`].
    ///
    /// [`Architecture::size_multiple`]: crate::Architecture::size_multiple
    pub patch: [usize; 2],
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Steps over which the learning rate rises from zero.
    pub warmup_steps: u64,
    /// Whether the learning rate falls along a half cosine to zero at the last step, or stays constant.
    pub cosine: bool,
    /// Decoupled weight decay (AdamW); 0 is Adam.
    pub weight_decay: f32,
    /// Decay of the exponential moving average of the weights, which is validated and stored; 0 stores the weights
    /// themselves.
    pub weight_average: f32,
    /// The loss.
    pub loss: LossConfig,
    /// Where patches are cut.
    pub sampling: SamplingConfig,
    /// How patches are augmented.
    pub augment: AugmentConfig,
    /// Whether iron deposits are restricted to the basal ganglia, where they are by definition.
    pub restrict_nhid_to_basal_ganglia: bool,
    /// Whether the model of a cross-validation has a candidate classifier, fitted to out-of-fold predictions. One network
    /// alone has too few subjects to validate on and does without.
    #[serde(default)]
    pub candidate_classifier: bool,
    /// How [patch classifiers](crate::patch_classifier) are trained, whose log-odds are features of the candidate classifier.
    /// None is trained where this is missing, without a candidate classifier, or with too few lesions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_classifier: Option<PatchClassifierConfig>,
    /// Share of the steps before which no validation counts as the best.
    pub best_after: f64,
    /// How many times as much a missed lesion weighs as a false positive when thresholds are chosen: the β of the
    /// F measure.
    pub threshold_beta: f64,
    /// Steps between validations.
    pub validate_every: u64,
    /// Training stops early after this many validations without an improvement; 0 never stops early.
    pub patience: usize,
}

/// A weighted sum of losses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// Weight of the cross-entropy (binary for a single sigmoid output).
    pub cross_entropy: f32,
    /// Weight of the soft overlap loss over the batch.
    pub overlap: f32,
    /// Weight of false positives in the overlap, which is the Tversky index (Tversky 1977): true positives over true
    /// positives plus `false_positive` times false positives plus `false_negative` times false negatives. One half each
    /// is Dice, one each intersection over union.
    pub false_positive: f32,
    /// Weight of false negatives in the overlap; see `false_positive`.
    pub false_negative: f32,
}

/// Where patches are cut: shares of three kinds of places. The rest is anywhere in the brain.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingConfig {
    /// Share of patches that hold a lesion, classes and lesions drawn uniformly.
    pub lesion: f64,
    /// Share of patches that hold one of the darkest SWI voxels outside lesions (mimics): veins, calcifications, edges,
    /// iron-rich nuclei.
    pub mimic: f64,
    /// How far from the patch's centre the chosen voxel may lie, as a share of half the patch.
    pub jitter: f64,
    /// Share of patches from the extra training data, where there is any; the rest comes from the cohort itself.
    #[serde(default = "half")]
    pub extra: f64,
}

fn half() -> f64 {
    0.5
}

impl TrainingConfig {
    /// The learning rate of a step (the first is 0).
    pub fn learning_rate_at(&self, step: u64) -> f64 {
        let warmup = if step < self.warmup_steps {
            (step + 1) as f64 / self.warmup_steps as f64
        } else {
            1.0
        };
        let rest = self.steps.saturating_sub(self.warmup_steps).max(1) as f64;
        let progress = (step.saturating_sub(self.warmup_steps) as f64 / rest).min(1.0);
        let fall =
            if self.cosine { 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()) } else { 1.0 };
        self.learning_rate * warmup * fall
    }

    /// Checks the configuration for a network whose input sides must be multiples of `multiple`.
    ///
    /// # Errors
    /// Naming the setting that contradicts itself or another.
    pub fn validate(&self, multiple: usize) -> Result<(), NetError> {
        let invalid = |reason: String| Err(NetError::Config { reason });
        self.patch_classifier.as_ref().map_or(Ok(()), PatchClassifierConfig::validate)?;
        if self.steps == 0 || self.batch_size == 0 || self.validate_every == 0 {
            return invalid("steps, batch_size and validate_every must be at least 1".to_owned());
        }
        if self.patch.iter().any(|side| *side == 0 || side % multiple != 0) {
            return invalid(format!("patch {:?} must be multiples of {multiple}", self.patch));
        }
        let shares = [self.sampling.lesion, self.sampling.mimic];
        let all = shares.iter().chain([&self.sampling.extra]);
        if !all.into_iter().all(|share| (0.0..=1.0).contains(share))
            || shares.iter().sum::<f64>() > 1.0
        {
            return invalid(
                "sampling shares must lie between 0 and 1, lesion and mimic not sum to more"
                    .to_owned(),
            );
        }
        if !(0.0..1.0).contains(&self.weight_average) {
            return invalid(format!(
                "weight_average {} must be at least 0 and below 1",
                self.weight_average
            ));
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return invalid(format!("learning_rate {} must be positive", self.learning_rate));
        }
        if !(0.0..=1.0).contains(&self.best_after) {
            return invalid(format!("best_after {} must lie between 0 and 1", self.best_after));
        }
        if !(self.threshold_beta > 0.0 && self.threshold_beta.is_finite()) {
            return invalid(format!("threshold_beta {} must be positive", self.threshold_beta));
        }
        if self.loss.cross_entropy + self.loss.overlap <= 0.0 {
            return invalid("a loss needs a positive weight".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::preset;

    #[test]
    fn the_learning_rate_rises_then_falls_to_nothing() {
        let mut config = preset::deepmir().training;
        (config.steps, config.warmup_steps, config.learning_rate) = (1000, 100, 1.0);
        config.cosine = true;
        assert!((config.learning_rate_at(49) - 0.5).abs() < 1e-9);
        assert!((config.learning_rate_at(100) - 1.0).abs() < 1e-9);
        assert!((config.learning_rate_at(550) - 0.5).abs() < 1e-9);
        assert!(config.learning_rate_at(999) < 1e-5);
    }
}
