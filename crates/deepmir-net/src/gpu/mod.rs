//! The networks on GPUs, through Burn and Vulkan: inference and training.

mod loss;
mod network;
mod training;
mod unet;

use burn::tensor::{Device, DeviceKind, DeviceType};

use crate::infer::Network;
use crate::train::{StepSettings, TrainingEngine, TrainingState};
use crate::{Architecture, DeviceChoice, NetError, Weights};
use network::GpuNetwork;
use training::GpuTraining;

/// Whether `auto` finds a GPU. A software implementation is slower than the kernels, so `auto` does not take one.
pub(crate) fn is_available() -> bool {
    devices().first().is_some_and(|device| !is_software(device))
}

/// Networks on a GPU.
///
/// # Errors
/// If the GPU is not there, or the weights do not fit the architecture.
pub(crate) fn networks(
    architecture: &Architecture,
    members: &[Weights],
    choice: DeviceChoice,
) -> Result<Vec<Box<dyn Network>>, NetError> {
    let device = device(choice)?;
    let mut networks: Vec<Box<dyn Network>> = Vec::with_capacity(members.len());
    for weights in members {
        networks.push(Box::new(GpuNetwork::new(architecture, weights, &device)?));
    }
    Ok(networks)
}

/// A training on a GPU.
///
/// # Errors
/// If the GPU is not there, or the weights do not fit the architecture.
pub(crate) fn training(
    settings: StepSettings,
    state: TrainingState,
    choice: DeviceChoice,
) -> Result<Box<dyn TrainingEngine>, NetError> {
    Ok(Box::new(GpuTraining::new(settings, state, &device(choice)?)?))
}

/// The devices that Vulkan finds: GPUs, then software implementations on the CPU (Mesa's lavapipe).
fn devices() -> Vec<Device> {
    let mut devices = Device::enumerate(DeviceType::Vulkan).into_vec();
    devices.sort_by_key(is_software);
    devices
}

fn is_software(device: &Device) -> bool {
    *device == Device::vulkan(DeviceKind::Cpu)
}

/// The n-th device; the first for `auto`.
fn device(choice: DeviceChoice) -> Result<Device, NetError> {
    let number = if let DeviceChoice::Gpu(number) = choice { number } else { 0 };
    let mut devices = devices();
    if number < devices.len() {
        return Ok(devices.swap_remove(number));
    }
    let found = match devices.len() {
        0 => "none (is there a driver for it?)".to_owned(),
        count => format!("{count}, counted from 0"),
    };
    let reason = format!("there is no GPU {number}: Vulkan finds {found}; or use --device cpu");
    Err(NetError::Config { reason })
}

#[cfg(test)]
mod tests;
