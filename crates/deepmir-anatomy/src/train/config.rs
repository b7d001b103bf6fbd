//! The settings of a training.

use serde::{Deserialize, Serialize};

use crate::AnatomyError;
use crate::synthesis::SynthesisConfig;

/// How the network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Channels of the network from full resolution to the centre.
    pub widths: Vec<usize>,
    /// Examples drawn in all, one a step.
    pub steps: u64,
    /// The learning rate between its rise and its fall.
    pub learning_rate: f64,
    /// Steps over which the learning rate rises from zero.
    pub warmup_steps: u64,
    /// Last part of the steps, over which the learning rate falls to zero.
    pub decay: f64,
    /// Share of a weight that a step takes away at learning rate 1.
    pub weight_decay: f32,
    /// Largest norm of a step's gradient; longer ones are shortened to it.
    pub largest_gradient: f64,
    /// Part of the averaged weights that is kept at a step.
    pub average_decay: f32,
    /// Part of the examples drawn from heads of the built-in anatomy, where there are others.
    pub built_in: f32,
    /// Seed of weights and examples.
    pub seed: u64,
    /// What examples look like.
    pub synthesis: SynthesisConfig,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            widths: vec![16, 48, 80, 112, 64],
            steps: 10_000,
            learning_rate: 1e-3,
            warmup_steps: 100,
            decay: 0.4,
            weight_decay: 0.01,
            largest_gradient: 2.0,
            average_decay: 0.998,
            built_in: 0.15,
            seed: 1,
            synthesis: SynthesisConfig::default(),
        }
    }
}

impl TrainingConfig {
    /// Validates the settings.
    ///
    /// # Errors
    /// Naming the first that cannot be used.
    pub fn validate(&self) -> Result<(), AnatomyError> {
        let setting =
            |name, value: String, must_be| Err(AnatomyError::Setting { name, value, must_be });
        crate::network::architecture(&self.widths).validate()?;
        let numbers = [
            ("learning_rate", self.learning_rate, 1e-8..=1.0, "from 1e-8 to 1"),
            ("decay", self.decay, 0.0..=1.0, "from 0 to 1"),
            ("weight_decay", self.weight_decay.into(), 0.0..=1.0, "from 0 to 1"),
            ("largest_gradient", self.largest_gradient, 1e-6..=1e6, "from 1e-6 to 1e6"),
            ("average_decay", self.average_decay.into(), 0.0..=0.99999, "from 0 to 0.99999"),
            ("built_in", self.built_in.into(), 0.0..=1.0, "from 0 to 1"),
        ];
        for (name, value, range, must_be) in numbers {
            if !range.contains(&value) {
                return setting(name, value.to_string(), must_be);
            }
        }
        if self.steps == 0 {
            return setting("steps", "0".to_owned(), "at least 1");
        }
        let multiple = crate::network::architecture(&self.widths).size_multiple();
        if !self.synthesis.shape.iter().all(|side| side.is_multiple_of(multiple)) {
            let value = format!("{:?}", self.synthesis.shape);
            return setting("synthesis.shape", value, "multiples of 2 for each pooling");
        }
        self.synthesis.validate()
    }

    /// The learning rate of the step after `steps` others: it rises, stays, and falls.
    pub(crate) fn rate(&self, steps: u64) -> f64 {
        let (done, all) = (steps as f64, self.steps as f64);
        let rise = ((done + 1.0) / (self.warmup_steps as f64 + 1.0)).min(1.0);
        let fall = ((all - done) / (self.decay * all).max(1.0)).clamp(0.0, 1.0);
        self.learning_rate * rise * fall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_stays_and_falls() {
        let config = TrainingConfig {
            steps: 1000,
            learning_rate: 1.0,
            warmup_steps: 9,
            decay: 0.5,
            ..TrainingConfig::default()
        };
        config.validate().unwrap();
        for (step, rate) in [(0, 0.1), (4, 0.5), (9, 1.0), (500, 1.0), (750, 0.5), (999, 0.002)] {
            assert!((config.rate(step) - rate).abs() < 1e-9, "{step}: {}", config.rate(step));
        }
        let nonsense = TrainingConfig { steps: 0, ..config };
        assert!(nonsense.validate().is_err());
    }
}
