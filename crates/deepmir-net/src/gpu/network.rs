//! Inference on a GPU.

use burn::tensor::{Device, Tensor, TensorData};

use super::unet::UNet;
use crate::infer::Network;
use crate::{Architecture, NetError, Weights};

/// A network for inference on a Burn device.
pub(super) struct GpuNetwork {
    net: UNet,
    device: Device,
}

impl GpuNetwork {
    /// # Errors
    /// If the weights do not fit the architecture.
    pub(super) fn new(
        architecture: &Architecture,
        weights: &Weights,
        device: &Device,
    ) -> Result<Self, NetError> {
        Ok(Self { net: UNet::new(architecture, weights, device)?, device: device.clone() })
    }
}

impl Network for GpuNetwork {
    fn probabilities(&mut self, input: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>, NetError> {
        let input = Tensor::<4>::from_data(TensorData::new(input, shape), &self.device);
        let data = self.net.probabilities(input).try_into_data();
        let data = data.map_err(|error| NetError::Device { reason: format!("{error:?}") })?;
        Ok(data.iter::<f32>().collect())
    }
}
