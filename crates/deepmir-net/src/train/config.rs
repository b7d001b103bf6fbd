//! How a network is trained.

use serde::{Deserialize, Serialize};

use crate::augment::AugmentConfig;
use crate::closer_look::CloserLookSettings;

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
    /// How networks for a [closer look](crate::closer_look) learn, which the second look then asks, too; none are
    /// made where this is missing, there is no second look, or there are too few lesions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closer_look: Option<CloserLookConfig>,
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

/// How networks for a [closer look](crate::closer_look) learn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloserLookConfig {
    /// Slices, rows and columns of a block in the plan's voxels.
    pub size: [usize; 3],
    /// Channels of each level.
    pub widths: Vec<usize>,
    /// Width of the hidden layer.
    pub hidden: usize,
    /// Networks; each learns from all parts of the subjects but its own, which it judges.
    pub networks: usize,
    /// Without this many true candidates there is no closer look: too few to learn from.
    pub least_lesions: usize,
    /// Optimiser steps of each.
    pub steps: u64,
    /// Blocks a step.
    pub batch_size: usize,
    /// Learning rate at its highest, after the first tenth of the steps; then it falls along a half cosine.
    pub learning_rate: f64,
    /// Decoupled weight decay (AdamW).
    pub weight_decay: f32,
    /// Share of the features and of the hidden values that is dropped.
    pub dropout: f64,
    /// Share of a label that is spread over all kinds.
    pub label_smoothing: f32,
    /// Slices, rows and columns by which blocks are at most off the middle.
    pub shift: [usize; 3],
    /// Share of blocks that are seen without some of the optional images.
    pub shortage: f64,
}

impl CloserLookConfig {
    /// The learning rate of a step (the first is 0).
    pub fn learning_rate_at(&self, step: u64) -> f64 {
        let warmup = (self.steps / 10).max(1);
        if step < warmup {
            return self.learning_rate * (step + 1) as f64 / warmup as f64;
        }
        let progress = (step - warmup) as f64 / (self.steps - warmup).max(1) as f64;
        self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }

    /// What its networks are like.
    pub fn settings(&self) -> CloserLookSettings {
        CloserLookSettings {
            size: self.size,
            widths: self.widths.clone(),
            hidden: self.hidden,
            weights: Vec::new(),
        }
    }

    fn fault(&self) -> Option<String> {
        if self.steps == 0 || self.batch_size < 2 || self.networks < 2 {
            return Some(
                "a closer look needs steps, and batches and networks of two or more".to_owned(),
            );
        }
        let share = |share: f64| (0.0..1.0).contains(&share);
        if !share(self.dropout) || !share(self.shortage) || !share(self.label_smoothing.into()) {
            return Some("shares of a closer look must be from 0 to 1".to_owned());
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite())
            || self.shift.iter().any(|&shift| shift > 64)
        {
            return Some("a closer look's learning_rate or shift makes no sense".to_owned());
        }
        self.settings().fault_of_size()
    }
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
        if let Some(reason) = self.closer_look.as_ref().and_then(CloserLookConfig::fault) {
            return Some(reason);
        }
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
    fn a_closer_look_that_cannot_be_is_told_before_anything_is_trained() {
        let reason = |change: &dyn Fn(&mut super::CloserLookConfig)| {
            let mut config = preset::deepmir().training;
            change(config.closer_look.as_mut().unwrap());
            config.fault(8).unwrap_or_default()
        };
        assert_eq!(reason(&|_| {}), "");
        assert!(reason(&|look| look.networks = 1).contains("two or more"));
        assert!(reason(&|look| look.dropout = 1.0).contains("from 0 to 1"));
        assert!(reason(&|look| look.learning_rate = f64::NAN).contains("learning_rate"));
        assert!(reason(&|look| look.size = [12, 24, 7]).contains("halved"));
        assert!(reason(&|look| look.size[0] = usize::MAX).contains("256"));
        assert!(reason(&|look| look.widths.clear()).contains("widths"));
        let look = preset::deepmir().training.closer_look.unwrap();
        let (first, top) = (look.learning_rate_at(0), look.learning_rate_at(look.steps / 10));
        assert!(first < 0.01 * top && (top - look.learning_rate).abs() < 1e-9);
        assert!(look.learning_rate_at(look.steps - 1) < 1e-5 * top);
    }

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
