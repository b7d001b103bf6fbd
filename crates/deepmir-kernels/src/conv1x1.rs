//! 1×1 convolutions.

use crate::block::{Block, LANES, Map, MapMut, channel_blocks};
use crate::channels::Channels;
use crate::engine::Engine;
use crate::gemm::{Correlation, ItemRange, correlate};
use crate::pointwise::{Pointwise, PointwiseInput, pack_pixels};
use crate::simd::Simd;
use crate::source::Source;

/// Weights of a 1×1 convolution, packed.
#[derive(Clone, Debug)]
pub struct PackedConv1x1 {
    inputs: Channels,
    outputs: Channels,
    /// `[out block][in channel][16]`.
    panels: Vec<Block>,
    bias: Vec<Block>,
}

impl PackedConv1x1 {
    /// Packs `weights` of `[out channel][in channel]` and one bias per output. `inputs` are the
    /// channels of the maps that it will read.
    ///
    /// # Panics
    /// If the lengths do not fit together.
    #[must_use]
    pub fn new(weights: &[f32], inputs: &[usize], bias: &[f32]) -> Self {
        let (inputs, outputs) = (Channels::new(inputs), Channels::new(&[bias.len()]));
        assert_eq!(weights.len(), inputs.total() * bias.len(), "weights of a 1×1 convolution");
        let columns = inputs.total();
        let panels = panels(&inputs, &outputs, |input, output| weights[output * columns + input]);
        Self { bias: channel_blocks(bias), inputs, outputs, panels }
    }

    /// Convolves `sources`, concatenated along their channels.
    ///
    /// # Panics
    /// If the maps do not fit the weights or one another.
    pub fn run(&self, engine: &Engine, sources: &[Source<'_>], output: MapMut<'_>) {
        assert_eq!(output.shape().channels, self.outputs.total(), "channels of a 1×1 convolution");
        self.pointwise(sources).run(engine, output);
    }

    pub(crate) fn pointwise<'a>(&'a self, sources: &'a [Source<'a>]) -> Pointwise<'a> {
        Pointwise {
            input: PointwiseInput::Pixels(sources),
            lanes: self.inputs.lanes(),
            panels: &self.panels,
            taps: 1,
            bias: Some(&self.bias),
            relu: false,
        }
    }

    /// Number of channels it writes.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs.total()
    }
}

/// `[write block][read channel][16 written]`, with sixteen rows for every block read.
fn panels(reads: &Channels, writes: &Channels, weight: impl Fn(usize, usize) -> f32) -> Vec<Block> {
    let mut panels = vec![Block::ZERO; writes.blocks() * reads.blocks() * LANES];
    for (write, panel) in panels.chunks_mut((reads.blocks() * LANES).max(1)).enumerate() {
        for (read, rows) in panel.chunks_mut(LANES).enumerate() {
            for (row, from) in rows.iter_mut().zip(reads.of_block(read)) {
                for (lane, to) in row.0.iter_mut().zip(writes.of_block(write)) {
                    *lane = weight(from, to);
                }
            }
        }
    }
    panels
}

/// The gradient of a 1×1 convolution's input, from `weights` of `[out channel][in channel]` and
/// the gradient of its output.
///
/// # Panics
/// If the maps do not fit the weights or one another.
pub fn input_gradient(engine: &Engine, weights: &[f32], gradient: Map<'_>, output: MapMut<'_>) {
    let inputs = Channels::new(&[output.shape().channels]);
    let outputs = Channels::new(&[gradient.shape().channels]);
    let columns = inputs.total();
    assert_eq!(weights.len(), columns * outputs.total(), "weights of a 1×1 convolution");
    let panels = panels(&outputs, &inputs, |output, input| weights[output * columns + input]);
    let sources = [Source::new(gradient)];
    Pointwise {
        input: PointwiseInput::Pixels(&sources),
        lanes: outputs.lanes(),
        panels: &panels,
        taps: 1,
        bias: None,
        relu: false,
    }
    .run(engine, output);
}

/// The gradient of a 1×1 convolution's weights, `[out channel][in channel]`, from its input
/// and the gradient of its output.
///
/// # Panics
/// If the maps do not fit the weights or one another.
pub fn weight_gradient(
    engine: &Engine,
    source: Source<'_>,
    gradient: Map<'_>,
    weights: &mut [f32],
) {
    let inputs = Channels::new(&[source.map.shape().channels]);
    assert_eq!(weights.len(), inputs.total() * gradient.shape().channels, "weights' gradient");
    let right = Source::new(gradient);
    correlate(engine, &WeightGradient { left: source, right, inputs: &inputs }, weights);
}

struct WeightGradient<'a> {
    left: Source<'a>,
    right: Source<'a>,
    inputs: &'a Channels,
}

impl Correlation for WeightGradient<'_> {
    fn items(&self) -> usize {
        self.left.map.shape().batch * self.left.map.shape().pixels()
    }

    fn points(&self) -> usize {
        1
    }

    fn right_has_points(&self) -> bool {
        false
    }

    fn left_lanes(&self) -> &[usize] {
        self.inputs.lanes()
    }

    fn right_blocks(&self) -> usize {
        self.right.map.shape().channel_blocks()
    }

    #[inline(always)]
    fn pack_left<S: Simd>(&self, simd: S, block: usize, items: ItemRange, out: &mut [Block]) {
        pack_pixels(simd, self.left, block, items, out);
    }

    #[inline(always)]
    fn pack_right<S: Simd>(&self, simd: S, block: usize, items: ItemRange, out: &mut [Block]) {
        pack_pixels(simd, self.right, block, items, out);
    }

    fn taps(&self) -> usize {
        1
    }

    #[inline(always)]
    fn epilogue<S: Simd>(&self, _: S, sums: &[Block], left_lanes: usize, out: &mut [&mut [f32]]) {
        for (column, sums) in sums.iter().enumerate().take(left_lanes) {
            for (row, sum) in out.iter_mut().zip(sums.0) {
                row[column] = sum;
            }
        }
    }
}
