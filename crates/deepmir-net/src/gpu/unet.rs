//! The network as a Burn module.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::activation::{relu, sigmoid, softmax};
use burn::tensor::{Device, Tensor, TensorData};

use crate::architecture::{Architecture, Output};
use crate::error::NetError;
use crate::weights::{self, Weights};

/// Two 3×3 convolutions, each with batch normalisation and ReLU.
#[derive(Module, Debug)]
pub(super) struct ConvBlock {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
}

impl ConvBlock {
    fn new(shape: &Architecture, from: usize, to: usize, device: &Device) -> Self {
        let conv = |from, to| {
            Conv2dConfig::new([from, to], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_initializer(Initializer::Zeros)
                .init(device)
        };
        Self {
            conv1: conv(from, to),
            norm1: norm(shape, to, device),
            conv2: conv(to, to),
            norm2: norm(shape, to, device),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let middle = relu(self.norm1.forward(self.conv1.forward(input)));
        relu(self.norm2.forward(self.conv2.forward(middle)))
    }
}

/// One step up: transposed convolution, concatenation with the encoder's output, a block.
#[derive(Module, Debug)]
pub(super) struct DecoderBlock {
    up: ConvTranspose2d,
    concatenated: Option<BatchNorm>,
    block: ConvBlock,
}

impl DecoderBlock {
    fn new(shape: &Architecture, from: usize, to: usize, device: &Device) -> Self {
        let up = ConvTranspose2dConfig::new([from, to], [2, 2])
            .with_stride([2, 2])
            .with_initializer(Initializer::Zeros)
            .init(device);
        let concatenated = shape.norm_after_concatenation.then(|| norm(shape, 2 * to, device));
        Self { up, concatenated, block: ConvBlock::new(shape, 2 * to, to, device) }
    }

    fn forward(&self, below: Tensor<4>, skip: Tensor<4>) -> Tensor<4> {
        let joined = Tensor::cat(vec![skip, self.up.forward(below)], 1);
        match &self.concatenated {
            Some(norm) => self.block.forward(relu(norm.forward(joined))),
            None => self.block.forward(joined),
        }
    }
}

/// The U-Net of an [`Architecture`].
#[derive(Module, Debug)]
pub(super) struct UNet {
    encoder: Vec<ConvBlock>,
    decoder: Vec<DecoderBlock>,
    head: Conv2d,
    pool: MaxPool2d,
    #[module(skip)]
    output: Output,
}

impl UNet {
    /// The network of an architecture with given weights, on a device (an autodiff one to train).
    ///
    /// # Errors
    /// If the weights do not fit the architecture.
    pub(super) fn new(
        architecture: &Architecture,
        weights: &Weights,
        device: &Device,
    ) -> Result<Self, NetError> {
        weights.validate(architecture)?;
        let widths = &architecture.widths;
        let inputs = std::iter::once(architecture.input_channels).chain(widths.iter().copied());
        let encoder = inputs
            .zip(widths)
            .map(|(from, &to)| ConvBlock::new(architecture, from, to, device))
            .collect();
        let decoder = widths
            .windows(2)
            .map(|pair| DecoderBlock::new(architecture, pair[1], pair[0], device))
            .collect();
        let empty = Self {
            encoder,
            decoder,
            head: Conv2dConfig::new([widths[0], architecture.output_channels], [1, 1])
                .with_initializer(Initializer::Zeros)
                .init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            output: architecture.output,
        };
        Ok(empty.with_weights(weights))
    }

    /// Scores before softmax or sigmoid. `input` is `[batch, channels, height, width]`, height and
    /// width multiples of [`Architecture::size_multiple`]; the result is
    /// `[batch, output channels, height, width]`.
    pub(super) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let mut here = input;
        let mut skips = Vec::with_capacity(self.decoder.len());
        for (level, block) in self.encoder.iter().enumerate() {
            here = block.forward(here);
            if level < self.decoder.len() {
                skips.push(here.clone());
                here = self.pool.forward(here);
            }
        }
        for (block, skip) in self.decoder.iter().zip(skips).rev() {
            here = block.forward(here, skip);
        }
        self.head.forward(here)
    }

    /// Probabilities, `[batch, output channels, height, width]`.
    pub(super) fn probabilities(&self, input: Tensor<4>) -> Tensor<4> {
        let scores = self.forward(input);
        match self.output {
            Output::Softmax => softmax(scores, 1),
            Output::Sigmoid => sigmoid(scores),
        }
    }

    /// The same network with other weights (of the same architecture).
    fn with_weights(self, weights: &Weights) -> Self {
        self.map(&mut Loader { weights, path: Vec::new() })
    }

    /// The weights, running statistics included.
    pub(super) fn weights(&self) -> Weights {
        self.settle_statistics();
        let mut collector = Collector::default();
        self.visit(&mut collector);
        Weights(collector.found)
    }

    /// Burn keeps the last update of running statistics aside until the next forward pass.
    pub(super) fn settle_statistics(&self) {
        let blocks = self.encoder.iter().chain(self.decoder.iter().map(|decoder| &decoder.block));
        let norms = blocks.flat_map(|block| [&block.norm1, &block.norm2]);
        let concatenated = self.decoder.iter().filter_map(|decoder| decoder.concatenated.as_ref());
        for norm in norms.chain(concatenated) {
            norm.running_mean.value_sync();
            norm.running_var.value_sync();
        }
    }
}

fn norm(shape: &Architecture, channels: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels)
        .with_epsilon(shape.norm_epsilon)
        .with_momentum(shape.norm_momentum)
        .init(device)
}

/// Collects tensors by path.
#[derive(Default)]
struct Collector {
    path: Vec<String>,
    found: std::collections::BTreeMap<String, weights::Tensor>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let values = tensor.into_data().iter::<f32>().collect();
        self.found.insert(self.path.join("."), weights::Tensor { shape, values });
    }
}

/// Loads tensors by path; the caller has checked that all are there.
struct Loader<'a> {
    weights: &'a Weights,
    path: Vec<String>,
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(tensor) = self.weights.0.get(&self.path.join(".")) else { return param };
        let data = TensorData::new(tensor.values.clone(), tensor.shape.clone());
        param.map(|old| {
            let new = Tensor::from_data(data, &old.device());
            if old.is_require_grad() { new.require_grad() } else { new }
        })
    }
}
