//! A 3×3 convolution for inference.

use super::train::assert_sources;
use crate::block::{Block, MapMut, Shape, channel_blocks};
use crate::channels::Channels;
use crate::engine::Engine;
use crate::filter3x3::{Filter, PackedFilter};
use crate::source::Source;
use crate::winograd::{Convolution, Epilogue, convolve};

/// Weights of a 3×3 convolution, packed once for inference.
///
/// Where half precision represents every weight exactly, as it does those stored in it, they stay
/// in half precision: half the memory, and half the traffic of a pass over few pixels. They are
/// widened in registers, and the results are the same bits.
#[derive(Clone, Debug)]
pub struct PackedConv3x3 {
    filter: PackedFilter,
    /// Added to the outputs.
    bias: Vec<Block>,
}

impl PackedConv3x3 {
    /// Packs `weights` of `[out channel][in channel][3][3]`, each output's times its `scale` (a
    /// folded batch norm), and one bias per output. `inputs` are the channels of the maps that
    /// it will read.
    ///
    /// # Panics
    /// If the lengths do not fit together.
    #[must_use]
    pub fn new(weights: &[f32], inputs: &[usize], scale: Option<&[f32]>, bias: &[f32]) -> Self {
        let (inputs, outputs) = (Channels::new(inputs), Channels::new(&[bias.len()]));
        let filter = PackedFilter::new(weights, inputs, outputs, scale);
        Self { filter, bias: channel_blocks(bias) }
    }

    /// Number of channels it writes.
    pub(crate) fn outputs(&self) -> usize {
        self.filter.outputs().total()
    }

    /// Convolves `sources`, concatenated along their channels, adds the bias, and applies ReLU if
    /// `relu`. Also writes the 2×2 maxima of the result to `pooled`, if given.
    ///
    /// # Panics
    /// If the maps do not fit the weights or one another.
    pub fn run(
        &self,
        engine: &Engine,
        sources: &[Source<'_>],
        relu: bool,
        output: MapMut<'_>,
        pooled: Option<&mut MapMut<'_>>,
    ) {
        let shape = output.shape();
        assert_sources(sources, shape, self.filter.inputs().total());
        assert_eq!(shape.channels, self.outputs(), "channels of a 3×3 convolution");
        if let Some(pooled) = &pooled {
            let expected = Shape { height: shape.height / 2, width: shape.width / 2, ..shape };
            assert_eq!(pooled.shape(), expected, "shape of the maxima");
        }
        let epilogues: Vec<_> =
            self.bias.iter().map(|bias| Epilogue { bias: Some(bias), relu, gate: None }).collect();
        let filter = Filter::Packed(&self.filter);
        let convolution = Convolution { sources, filter, epilogues: &epilogues, sums: false };
        convolve(engine, &convolution, &mut [output], pooled);
    }
}
