//! What every backend of the U-Net has in common, and the backend on Burn.

use burn::tensor::{Device, Tensor, TensorData};

use crate::{Architecture, NetError, UNet, Weights};

/// A network that turns slices into probabilities.
pub trait Network {
    /// `input` is `[batch, channels, height, width]` with height and width multiples of
    /// [`Architecture::size_multiple`]; the result is `[batch, output channels, height, width]`.
    ///
    /// # Errors
    /// If the device fails.
    fn probabilities(&mut self, input: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>, NetError>;
}

/// A network on a Burn device.
pub struct BurnNetwork {
    net: UNet,
    device: Device,
}

impl BurnNetwork {
    /// A network for evaluation, on a device without autodiff.
    ///
    /// # Errors
    /// If the weights do not fit the architecture.
    pub fn new(
        architecture: &Architecture,
        weights: &Weights,
        device: &Device,
    ) -> Result<Self, NetError> {
        Ok(Self { net: UNet::new(architecture, weights, device)?, device: device.clone() })
    }
}

impl Network for BurnNetwork {
    fn probabilities(&mut self, input: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>, NetError> {
        let input = Tensor::<4>::from_data(TensorData::new(input, shape), &self.device);
        let data = self.net.probabilities(input).try_into_data();
        let data = data.map_err(|error| NetError::Device { reason: format!("{error:?}") })?;
        Ok(data.iter::<f32>().collect())
    }
}
