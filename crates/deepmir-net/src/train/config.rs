//! How a network is trained.

use serde::{Deserialize, Serialize};

use crate::NetError;
use crate::augment::AugmentConfig;
use crate::patch_classifier::PatchClassifierSettings;

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
    /// Whether iron deposits are restricted to the basal ganglia, where they are by definition.
    pub restrict_nhid_to_basal_ganglia: bool,
    /// Whether the model of a cross-validation has a candidate classifier, fitted to subjects as predicted by networks that
    /// did not learn from them. One network alone has too few such subjects and does without.
    #[serde(default)]
    pub candidate_classifier: bool,
    /// How [patch classifiers](crate::patch_classifier) are trained, whose log-odds are features of the candidate classifier;
    /// none are trained where this is missing, there is no candidate classifier, or there are too few lesions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_classifier: Option<PatchClassifierConfig>,
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

/// How [patch classifiers](crate::patch_classifier) are trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchClassifierConfig {
    /// Slices, rows and columns of a patch in the plan's voxels.
    pub size: [usize; 3],
    /// Channels of each level.
    pub widths: Vec<usize>,
    /// Width of the hidden layer.
    pub hidden: usize,
    /// Networks; each learns from all folds of the subjects but its own, which it scores.
    pub networks: usize,
    /// With fewer true candidates no patch classifier is trained: too few to learn from.
    pub min_lesions: usize,
    /// Optimiser steps of each.
    pub steps: u64,
    /// Patches a step.
    pub batch_size: usize,
    /// Learning rate at its highest, after the first tenth of the steps; then it falls along a half cosine.
    pub learning_rate: f64,
    /// Decoupled weight decay (AdamW).
    pub weight_decay: f32,
    /// Share of the features and of the hidden values that is dropped.
    pub dropout: f64,
    /// Share of a label that is spread over all outputs.
    pub label_smoothing: f32,
    /// Largest shift of a patch's centre, in slices, rows and columns.
    pub shift: [usize; 3],
    /// Share of patches that are shown without some of the optional images.
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

    /// What its networks are like.
    pub fn settings(&self) -> PatchClassifierSettings {
        PatchClassifierSettings {
            size: self.size,
            widths: self.widths.clone(),
            hidden: self.hidden,
            weights: Vec::new(),
        }
    }

    fn validate(&self) -> Result<(), NetError> {
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
    /// Patches that come from extra training data, where there is any; the rest come from the cohort itself.
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

    /// Checks that a network whose sides must be multiples of `multiple` can be trained so.
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
    fn impossible_patch_classifiers_are_refused_before_anything_is_trained() {
        let reason = |change: &dyn Fn(&mut super::PatchClassifierConfig)| {
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
