//! How a network is trained.

use serde::{Deserialize, Serialize};

use crate::augment::AugmentConfig;

/// Everything that decides a training's outcome besides the data, the plan and the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Seed of everything random.
    pub seed: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Patches a step.
    pub batch_size: usize,
    /// Width and height of a patch in voxels; multiples of what the network's poolings ask for.
    pub patch: [usize; 2],
    /// Learning rate at its highest.
    pub learning_rate: f64,
    /// Steps over which the learning rate rises from zero.
    pub warmup_steps: u64,
    /// Whether it falls along a half cosine to zero at the last step, or stays.
    pub cosine: bool,
    /// Decoupled weight decay (AdamW); 0 is Adam.
    pub weight_decay: f32,
    /// Decay of the running average of the weights that is validated and kept; 0 keeps the weights
    /// themselves.
    pub weight_average: f32,
    /// What is minimised.
    pub loss: LossConfig,
    /// Where patches are cut.
    pub sampling: SamplingConfig,
    /// How they are changed.
    pub augment: AugmentConfig,
    /// Whether iron deposits are only looked for in the basal ganglia, where they are by definition.
    pub nhid_only_deep: bool,
    /// Whether the model of a cross-validation looks at its candidates again, with what it learns from
    /// subjects as predicted by networks that did not learn from them. One network alone has too few
    /// such subjects and does without.
    #[serde(default)]
    pub second_look: bool,
    /// Share of the steps before which no validation can be the best.
    pub best_after: f64,
    /// How many times as much a missed lesion weighs as a false one when thresholds are chosen: the
    /// β of the F measure.
    pub threshold_beta: f64,
    /// Steps between validations.
    pub validate_every: u64,
    /// Validations without a better one after which training stops; 0 never stops early.
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
    /// What the overlap is: intersection over itself plus `false_positive` times what is predicted
    /// only plus `false_negative` times what is missed (Tversky 1977). One half each is Dice, one
    /// each intersection over union.
    pub false_positive: f32,
    /// See `false_positive`.
    pub false_negative: f32,
}

/// Shares of the kinds of patches; the rest is anywhere in the brain.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingConfig {
    /// Patches that hold a given lesion, classes alternating, lesions of all sizes alike.
    pub lesion: f64,
    /// Patches that hold one of the darkest SWI voxels outside lesions: veins, calcifications,
    /// edges, iron-rich nuclei.
    pub mimic: f64,
    /// How far from the patch's centre the chosen voxel may lie, as a share of half the patch.
    pub jitter: f64,
    /// Patches that come from companions, where there are any; the rest come from the cohort itself.
    #[serde(default = "half")]
    pub companions: f64,
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

    /// Why this cannot be followed by a network whose sides must be multiples of `multiple`.
    pub fn fault(&self, multiple: usize) -> Option<String> {
        if self.steps == 0 || self.batch_size == 0 || self.validate_every == 0 {
            return Some("steps, batch_size and validate_every must be at least 1".to_owned());
        }
        if self.patch.iter().any(|side| *side == 0 || side % multiple != 0) {
            return Some(format!("patch {:?} must be multiples of {multiple}", self.patch));
        }
        let shares = [self.sampling.lesion, self.sampling.mimic];
        if !shares
            .iter()
            .chain([&self.sampling.companions])
            .all(|share| (0.0..=1.0).contains(share))
            || shares.iter().sum::<f64>() > 1.0
        {
            return Some(
                "sampling shares must lie between 0 and 1, lesion and mimic not sum to more"
                    .to_owned(),
            );
        }
        if !(0.0..1.0).contains(&self.weight_average) {
            return Some(format!(
                "weight_average {} must be at least 0 and below 1",
                self.weight_average
            ));
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return Some(format!("learning_rate {} must be positive", self.learning_rate));
        }
        if !(0.0..=1.0).contains(&self.best_after) {
            return Some(format!("best_after {} must lie between 0 and 1", self.best_after));
        }
        if !(self.threshold_beta > 0.0 && self.threshold_beta.is_finite()) {
            return Some(format!("threshold_beta {} must be positive", self.threshold_beta));
        }
        if self.loss.cross_entropy + self.loss.overlap <= 0.0 {
            return Some("a loss needs a positive weight".to_owned());
        }
        None
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
