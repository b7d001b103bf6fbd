//! The architecture of the U-Net: layers, widths and tensor names.

use serde::{Deserialize, Serialize};

use crate::NetError;

/// The activation of the last layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// Softmax over background and classes.
    Softmax,
    /// Logistic function, for a single class.
    Sigmoid,
}

/// A 2D U-Net (Ronneberger, Fischer and Brox 2015) on axial slices: at each level two 3×3
/// convolutions with batch normalisation and ReLU, 2×2 max-pooling on the way down, 2×2 transposed
/// convolutions and concatenation on the way up, a 1×1 convolution at the end.
///
/// ```
/// let architecture = deepmir_net::preset::paper().architecture;
/// assert_eq!(architecture.size_multiple(), 32);
/// assert_eq!(architecture.parameter_count() / 100_000, 311);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Input channels: modalities times slices.
    pub input_channels: usize,
    /// Channels of each level, from full resolution down to the bottleneck.
    pub widths: Vec<usize>,
    /// Output channels: classes and background for softmax, 1 for sigmoid.
    pub output_channels: usize,
    /// The activation of the outputs.
    pub output: Output,
    /// Batch normalisation and ReLU directly after each concatenation, as in the reference network.
    pub norm_after_concatenation: bool,
    /// Added to the variance in batch normalisation.
    pub norm_epsilon: f64,
    /// Weight of a new batch in the running mean and variance.
    pub norm_momentum: f64,
}

/// How a tensor is initialised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A convolution's kernel with this many inputs to each output (He-normal).
    Kernel {
        /// Inputs to each output.
        fan_in: usize,
    },
    /// Zero: biases, offset and running mean of normalisations.
    Zero,
    /// One: scale and running variance of normalisations.
    One,
}

/// A tensor of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorShape {
    /// Its name, such as `encoder.0.conv1.weight`.
    pub name: String,
    /// Its axes: `[out, in, height, width]` for convolutions, `[in, out, 2, 2]` for transposed ones.
    pub shape: Vec<usize>,
    /// How it is initialised.
    pub role: Role,
    /// Whether the optimiser trains it; running statistics are only tracked.
    pub trained: bool,
}

/// More channels than this, no network has and no memory holds.
const MOST_CHANNELS: usize = 1 << 14;

impl Architecture {
    /// Number of pooling layers.
    pub fn poolings(&self) -> usize {
        self.widths.len() - 1
    }

    /// Height and width must be multiples of this.
    pub fn size_multiple(&self) -> usize {
        1 << self.poolings()
    }

    /// Every tensor of the network, in the order data flows.
    pub fn tensors(&self) -> Vec<TensorShape> {
        let mut tensors = Tensors(Vec::new());
        let mut channels = self.input_channels;
        for (level, &width) in self.widths.iter().enumerate() {
            tensors.block(&format!("encoder.{level}"), channels, width);
            channels = width;
        }
        for level in (0..self.poolings()).rev() {
            let width = self.widths[level];
            let name = format!("decoder.{level}");
            tensors.push(
                format!("{name}.up.weight"),
                &[channels, width, 2, 2],
                Role::Kernel { fan_in: channels },
            );
            tensors.push(format!("{name}.up.bias"), &[width], Role::Zero);
            if self.norm_after_concatenation {
                tensors.norm(&format!("{name}.concatenated"), 2 * width);
            }
            tensors.block(&format!("{name}.block"), 2 * width, width);
            channels = width;
        }
        tensors.conv("head", channels, self.output_channels, 1);
        tensors.0
    }

    /// Number of trained parameters.
    pub fn parameter_count(&self) -> usize {
        let trained = self.tensors().into_iter().filter(|tensor| tensor.trained);
        trained.map(|tensor| tensor.shape.iter().product::<usize>()).sum()
    }

    /// Checks that the architecture is consistent.
    ///
    /// # Errors
    /// Naming what contradicts itself.
    pub fn validate(&self) -> Result<(), NetError> {
        let invalid = |reason: String| Err(NetError::Config { reason });
        let fits = |channels: usize| (1..=MOST_CHANNELS).contains(&channels);
        if !(1..=8).contains(&self.widths.len()) || !self.widths.iter().all(|&width| fits(width)) {
            let reason = format!(
                "widths {:?} must be 1 to 8 positive numbers, none above {MOST_CHANNELS}",
                self.widths
            );
            return invalid(reason);
        }
        if !fits(self.input_channels) || !fits(self.output_channels) {
            let reason = format!("a network needs channels in and out, up to {MOST_CHANNELS}");
            return invalid(reason);
        }
        match (self.output, self.output_channels) {
            (Output::Softmax, 1) => {
                invalid("softmax over one channel is always 1; use sigmoid".to_owned())
            }
            (Output::Sigmoid, 2..) => invalid("sigmoid is for a single class".to_owned()),
            _ => Ok(()),
        }
    }
}

struct Tensors(Vec<TensorShape>);

impl Tensors {
    fn push(&mut self, name: String, shape: &[usize], role: Role) {
        self.0.push(TensorShape { name, shape: shape.to_vec(), role, trained: true });
    }

    fn conv(&mut self, name: &str, from: usize, to: usize, size: usize) {
        let role = Role::Kernel { fan_in: from * size * size };
        self.push(format!("{name}.weight"), &[to, from, size, size], role);
        self.push(format!("{name}.bias"), &[to], Role::Zero);
    }

    fn norm(&mut self, name: &str, channels: usize) {
        self.push(format!("{name}.gamma"), &[channels], Role::One);
        self.push(format!("{name}.beta"), &[channels], Role::Zero);
        for (statistic, role) in [("running_mean", Role::Zero), ("running_var", Role::One)] {
            let name = format!("{name}.{statistic}");
            self.0.push(TensorShape { name, shape: vec![channels], role, trained: false });
        }
    }

    fn block(&mut self, name: &str, from: usize, to: usize) {
        self.conv(&format!("{name}.conv1"), from, to, 3);
        self.norm(&format!("{name}.norm1"), to);
        self.conv(&format!("{name}.conv2"), to, to, 3);
        self.norm(&format!("{name}.norm2"), to);
    }
}
