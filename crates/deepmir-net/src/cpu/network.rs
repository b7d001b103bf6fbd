//! Inference on the CPU.

use std::borrow::Cow;

use deepmir_kernels::{Activation, Engine, unet};

use super::{kernel_architecture, weights_error};
use crate::architecture::Output;
use crate::network::Network;
use crate::{Architecture, NetError, Weights};

/// A network for inference, its batch normalisations folded into the convolutions and its weights packed.
#[derive(Debug)]
pub struct CpuNetwork {
    network: unet::Network,
    engine: Engine,
    activation: Activation,
}

impl CpuNetwork {
    /// Packs the weights. Networks that run one after another can share an engine and its memory.
    ///
    /// # Errors
    /// If the weights do not fit the architecture.
    pub fn new(
        architecture: &Architecture,
        weights: &Weights,
        engine: &Engine,
    ) -> Result<Self, NetError> {
        weights.validate(architecture)?;
        let tensor = |name: &str| weights.0.get(name).map(|t| Cow::Borrowed(t.values.as_slice()));
        let network = unet::Network::new(&kernel_architecture(architecture), tensor);
        let activation = match architecture.output {
            Output::Softmax => Activation::Softmax,
            Output::Sigmoid => Activation::Sigmoid,
        };
        Ok(Self { network: network.map_err(weights_error)?, engine: engine.clone(), activation })
    }
}

impl Network for CpuNetwork {
    fn probabilities(&mut self, input: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>, NetError> {
        let [batch, _, height, width] = shape;
        let outputs = self.network.architecture().outputs;
        let mut output = vec![0.0; batch * outputs * height * width];
        let size = (batch, height, width);
        self.network
            .run(&self.engine, &input, size, self.activation, &mut output)
            .map_err(weights_error)?;
        Ok(output)
    }
}
