//! Training steps on the CPU.

use deepmir_kernels::Engine;
use deepmir_kernels::parameters::{Gradients, Parameters, Statistics};
use deepmir_kernels::unet::{self, Step};

use super::{engine, kernel_architecture, weights_error};
use crate::optimiser::follow;
use crate::train::{Batch, StepSettings, TrainingEngine, TrainingState, loss};
use crate::{NetError, Weights};

/// A network in training on the kernels.
pub(crate) struct CpuTraining {
    settings: StepSettings,
    architecture: unet::Architecture,
    engine: Engine,
    state: TrainingState,
    /// Of the last step; kept for its memory.
    gradients: Gradients,
    losses: f64,
}

impl CpuTraining {
    /// # Errors
    /// If the weights do not fit the architecture.
    pub(crate) fn new(settings: StepSettings, state: TrainingState) -> Result<Self, NetError> {
        state.weights.validate(&settings.architecture)?;
        Ok(Self {
            architecture: kernel_architecture(&settings.architecture),
            settings,
            engine: engine()?,
            state,
            gradients: Gradients::default(),
            losses: 0.0,
        })
    }

    /// A forward and a backward pass: the gradients, and running statistics that follow those of the batch. Returns the
    /// loss.
    pub(crate) fn differentiate(&mut self, batch: &Batch) -> Result<f64, NetError> {
        let Self { settings, architecture, engine, state, gradients, .. } = self;
        let [count, _, height, width] = settings.input_shape(batch);
        let weights = &mut state.weights;
        let named = weights.0.iter().map(|(name, tensor)| (name.clone(), tensor.values.as_slice()));
        let parameters: Parameters<'_> = named.collect();
        let channels = architecture.outputs;
        let mut scores = vec![0.0; count * channels * height * width];
        let size = (count, height, width);
        let step =
            Step::forward(engine, architecture, &parameters, &batch.inputs, size, &mut scores)
                .map_err(weights_error)?;
        let shape = [count, channels, height * width];
        let output = settings.architecture.output;
        let loss = loss(&scores, &batch.targets, shape, output, &settings.loss);
        let statistics = step.statistics().clone();
        step.backward(engine, &parameters, &loss.gradient, gradients).map_err(weights_error)?;
        drop(parameters);
        update_statistics(weights, &statistics, settings.architecture.norm_momentum as f32);
        Ok(loss.value)
    }

    /// The gradients of the last pass.
    #[cfg(test)]
    pub(crate) fn gradients(&self) -> &Gradients {
        &self.gradients
    }
}

impl TrainingEngine for CpuTraining {
    fn step(&mut self, batch: &Batch, rate: f64, average_rate: f32) -> Result<(), NetError> {
        self.losses += self.differentiate(batch)?;
        let TrainingState { weights, moments, average } = &mut self.state;
        self.settings.adamw.step(rate, weights, &self.gradients, moments);
        if let Some(average) = average {
            follow(average, weights, average_rate);
        }
        Ok(())
    }

    fn read_losses_every(&self) -> u64 {
        1
    }

    fn take_losses(&mut self) -> Result<f64, NetError> {
        Ok(std::mem::take(&mut self.losses))
    }

    fn validated_weights(&mut self) -> Result<Weights, NetError> {
        Ok(self.state.average.as_ref().unwrap_or(&self.state.weights).clone())
    }

    fn state(&mut self) -> Result<TrainingState, NetError> {
        Ok(self.state.clone())
    }
}

/// Moves running means and variances by `momentum` of the difference towards those of a batch.
pub(crate) fn update_statistics(weights: &mut Weights, statistics: &Statistics, momentum: f32) {
    for (norm, moments) in statistics {
        for (part, new) in [("running_mean", &moments.mean), ("running_var", &moments.variance)] {
            let Some(tensor) = weights.0.get_mut(&format!("{norm}.{part}")) else { continue };
            for (old, new) in tensor.values.iter_mut().zip(new) {
                *old = *old * (1.0 - momentum) + new * momentum;
            }
        }
    }
}
