//! A training step: a forward pass that keeps the convolutions' outputs and nothing else, and
//! the backward pass that recomputes the rest from them.
//!
//! Batch norm and ReLU never get a map of their own. Going forward, a convolution adds up the
//! moments of what it writes, and the next one norms what it reads. Going back, a convolution
//! cuts the gradient it writes by the ReLU in front of it, and adds up what the norm there needs.

mod backward;
mod forward;
mod parameters;

pub use parameters::{Gradients, Parameters, Statistics};

use super::architecture::Architecture;
use crate::block::FeatureMap;
use crate::norm::{Gate, Norm};
use crate::source::{Entry, Source};

/// A forward pass in training, with what the backward pass needs.
#[derive(Debug)]
pub struct Step {
    architecture: Architecture,
    /// From full resolution to the centre.
    encoder: Vec<EncoderLevel>,
    /// From full resolution down.
    decoder: Vec<DecoderLevel>,
    statistics: Statistics,
}

/// What a level on the way down keeps.
#[derive(Debug)]
struct EncoderLevel {
    /// What its first convolution read.
    input: FeatureMap,
    block: Block,
}

/// What a level on the way up keeps.
#[derive(Debug)]
struct DecoderLevel {
    /// Outputs of the transposed convolution.
    above: FeatureMap,
    /// The norms of the encoder's and the decoder's channels after concatenation.
    concatenated: Option<(Norm, Norm)>,
    block: Block,
}

/// Outputs of two convolutions, and their norms.
#[derive(Debug)]
struct Block {
    first: Normed,
    second: Normed,
}

/// Outputs of a convolution with their batch norm.
#[derive(Debug)]
struct Normed {
    map: FeatureMap,
    norm: Norm,
}

impl Normed {
    /// As the next layer reads it: through the norm and a ReLU.
    fn source(&self) -> Source<'_> {
        Source::norm_relu(self.map.view(), self.norm.affine())
    }

    /// The norm and ReLU that gradients pass on their way back.
    fn gate(&self) -> Gate<'_> {
        Gate { source: Source::new(self.map.view()), norm: &self.norm }
    }
}

/// What a decoder's first convolution reads: the encoder's and the decoder's channels.
fn joined<'a>(
    skip: &'a Normed,
    above: &'a FeatureMap,
    concatenated: Option<&'a (Norm, Norm)>,
) -> [Source<'a>; 2] {
    match concatenated {
        None => [skip.source(), Source::new(above.view())],
        Some((of_skip, of_above)) => [
            Source {
                map: skip.map.view(),
                entry: Entry::NormReluTwice(skip.norm.affine(), of_skip.affine()),
            },
            Source::norm_relu(above.view(), of_above.affine()),
        ],
    }
}
