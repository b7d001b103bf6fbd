//! A training step: a forward pass that stores the convolutions' outputs and nothing else, and a
//! backward pass that recomputes the rest from them.
//!
//! Outputs of batch norm and ReLU are never stored. In the forward pass, a convolution accumulates
//! the moments of its output in its epilogue, and the next one applies the norm in its prologue.
//! In the backward pass, the epilogue of a convolution gates the gradient by the ReLU before it,
//! and accumulates the sums that the norm's gradient needs.

mod backward;
mod forward;

use super::architecture::Architecture;
use crate::arena::FeatureMap;
use crate::norm::{Gate, Norm};
use crate::parameters::Statistics;
use crate::prologue::Prologue;
use crate::source::Source;

/// A forward pass in training, with what the backward pass needs.
///
/// ```
/// use deepmir_kernels::parameters::{Gradients, Parameters};
/// use deepmir_kernels::unet::{Architecture, Step};
/// use deepmir_kernels::{Engine, KernelError};
///
/// let architecture = Architecture {
///     inputs: 1,
///     widths: vec![4, 8],
///     outputs: 2,
///     norm_after_concatenation: true,
///     epsilon: 1e-3,
/// };
/// let tensors: Vec<_> =
///     architecture.tensors().into_iter().map(|t| (t.name.clone(), vec![0.1; t.values()])).collect();
/// let parameters: Parameters = tensors.iter().map(|(name, v)| (name.clone(), &v[..])).collect();
///
/// let engine = Engine::new();
/// let (batch, height, width) = (2, 4, 6);
/// let images: Vec<f32> = (0..batch * height * width).map(|i| (i as f32).sin()).collect();
/// let mut scores = vec![0.0; batch * architecture.outputs * height * width];
/// let size = (batch, height, width);
/// let step = Step::forward(&engine, &architecture, &parameters, &images, size, &mut scores)?;
/// assert!(step.statistics().contains_key("encoder.0.norm1"));
///
/// // The gradient of the loss at the scores; here the loss is their sum.
/// let gradient = vec![1.0; scores.len()];
/// let mut gradients = Gradients::default();
/// step.backward(&engine, &parameters, &gradient, &mut gradients)?;
/// assert_eq!(gradients.0["head.bias"], [(batch * height * width) as f32; 2]);
/// # Ok::<(), KernelError>(())
/// ```
#[derive(Debug)]
pub struct Step {
    architecture: Architecture,
    /// From full resolution to the centre.
    encoder: Vec<EncoderLevel>,
    /// From full resolution down.
    decoder: Vec<DecoderLevel>,
    statistics: Statistics,
}

/// What a level of the encoder stores.
#[derive(Debug)]
struct EncoderLevel {
    /// Input of its first convolution.
    input: FeatureMap,
    block: DoubleConvOutputs,
}

/// What a level of the decoder stores.
#[derive(Debug)]
struct DecoderLevel {
    /// Output of the transposed convolution.
    upsampled: FeatureMap,
    /// The norms of the encoder's and the decoder's channels after concatenation.
    concatenated: Option<(Norm, Norm)>,
    block: DoubleConvOutputs,
}

/// Outputs of two convolutions, and their norms.
#[derive(Debug)]
struct DoubleConvOutputs {
    first: NormedOutput,
    second: NormedOutput,
}

/// The output of a convolution, and its batch norm.
#[derive(Debug)]
struct NormedOutput {
    map: FeatureMap,
    norm: Norm,
}

impl NormedOutput {
    /// As the next layer reads it, with norm and ReLU as prologue.
    fn source(&self) -> Source<'_> {
        Source::norm_relu(self.map.view(), self.norm.affine())
    }

    /// The norm and ReLU that the gradient passes in the backward pass.
    fn gate(&self) -> Gate<'_> {
        Gate { source: Source::new(self.map.view()), norm: &self.norm }
    }
}

/// The input of a decoder's first convolution: the encoder's and the decoder's channels.
fn concatenated_sources<'a>(
    skip: &'a NormedOutput,
    upsampled: &'a FeatureMap,
    concatenated: Option<&'a (Norm, Norm)>,
) -> [Source<'a>; 2] {
    match concatenated {
        None => [skip.source(), Source::new(upsampled.view())],
        Some((of_skip, of_upsampled)) => [
            Source {
                map: skip.map.view(),
                prologue: Prologue::NormReluTwice(skip.norm.affine(), of_skip.affine()),
            },
            Source::norm_relu(upsampled.view(), of_upsampled.affine()),
        ],
    }
}
