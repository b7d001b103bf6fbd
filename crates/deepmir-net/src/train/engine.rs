//! What computes the steps of a training: the kernels on the CPU, or Burn on a GPU.

use super::LossConfig;
use super::sampler::Batch;
use super::training::Training;
use crate::cpu::CpuTraining;
use crate::optimiser::{AdamW, Moments};
use crate::{Architecture, NetError, Weights, gpu};

/// Everything that steps change: what a checkpoint holds of a network.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TrainingState {
    /// The weights, running statistics included.
    pub weights: Weights,
    /// The optimiser's moments.
    pub moments: Moments,
    /// The moving average of the weights, where averaging is on.
    pub average: Option<Weights>,
}

/// What decides a step besides state and batch.
#[derive(Clone, Debug)]
pub(crate) struct StepSettings {
    /// The network.
    pub architecture: Architecture,
    /// Width and height of a patch.
    pub patch: [usize; 2],
    /// The loss.
    pub loss: LossConfig,
    /// The optimiser.
    pub adamw: AdamW,
}

impl StepSettings {
    /// `[batch, channels, height, width]` of a batch's inputs.
    pub fn input_shape(&self, batch: &Batch) -> [usize; 4] {
        let [width, height] = self.patch;
        [batch.count, self.architecture.input_channels, height, width]
    }
}

/// A network in training.
pub(crate) trait TrainingEngine {
    /// Takes one step of AdamW, then moves the average, where there is one, by `average_rate` towards the new weights.
    ///
    /// # Errors
    /// If the device fails.
    fn step(&mut self, batch: &Batch, rate: f64, average_rate: f32) -> Result<(), NetError>;

    /// Steps between readings of the loss that cost no time.
    fn read_losses_every(&self) -> u64;

    /// Sum of the losses of all steps since the last call.
    ///
    /// # Errors
    /// If the device fails.
    fn take_losses(&mut self) -> Result<f64, NetError>;

    /// The weights to validate: the average where there is one.
    ///
    /// # Errors
    /// If the device fails.
    fn validated_weights(&mut self) -> Result<Weights, NetError>;

    /// The state, to be resumed from.
    ///
    /// # Errors
    /// If the device fails.
    fn state(&mut self) -> Result<TrainingState, NetError>;
}

/// The engine of a training's device.
///
/// # Errors
/// If the device is not there, or the state does not fit the architecture.
pub(crate) fn engine(
    training: &Training,
    state: TrainingState,
) -> Result<Box<dyn TrainingEngine>, NetError> {
    let settings = StepSettings {
        architecture: training.architecture.clone(),
        patch: training.config.patch,
        loss: training.config.loss,
        adamw: AdamW { epsilon: 1e-7, weight_decay: training.config.weight_decay },
    };
    if training.device.is_cpu() {
        Ok(Box::new(CpuTraining::new(settings, state)?))
    } else {
        gpu::training(settings, state, training.device)
    }
}
