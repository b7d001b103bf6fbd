//! The networks on the CPU, on deepmir's own kernels: inference and training.

mod network;
mod training;

use deepmir_kernels::{Engine, unet};

pub use network::CpuNetwork;
pub(crate) use training::{CpuTraining, update_statistics};

use crate::{Architecture, NetError};

/// The kernels' engine.
///
/// # Errors
/// If `DEEPMIR_INSTRUCTION_SET` names one that this CPU does not have.
pub fn engine() -> Result<Engine, NetError> {
    Engine::from_environment().map_err(|error| NetError::Config { reason: error.to_string() })
}

fn kernel_architecture(architecture: &Architecture) -> unet::Architecture {
    unet::Architecture {
        inputs: architecture.input_channels,
        widths: architecture.widths.clone(),
        outputs: architecture.output_channels,
        norm_after_concatenation: architecture.norm_after_concatenation,
        epsilon: architecture.norm_epsilon as f32,
    }
}

fn weights_error(error: deepmir_kernels::KernelError) -> NetError {
    NetError::Weights { reason: error.to_string() }
}

#[cfg(test)]
mod tests;
