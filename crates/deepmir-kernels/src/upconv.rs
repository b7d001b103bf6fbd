//! 2×2 transposed convolutions with stride 2, which double a map's size: every input pixel yields
//! its own four output pixels. Weights are `[in channel][out channel][2][2]`, as in PyTorch
//! and Burn.

use rayon::prelude::*;

use crate::arena::Buffer;
use crate::block::{Block, LANES, Map, MapMut, channel_blocks};
use crate::channels::Channels;
use crate::engine::Engine;
use crate::gemm::{Correlation, ItemRange, correlate};
use crate::norm::Moments;
use crate::pointwise::{Pointwise, PointwiseInput, pack_pixels, strided_tap};
use crate::reduction::PartialSums;
use crate::simd::Simd;
use crate::source::Source;

const TAPS: usize = 4;

/// Weights of a 2×2 transposed convolution, packed once for inference.
#[derive(Clone, Debug)]
pub struct PackedUpConv {
    inputs: Channels,
    outputs: Channels,
    /// `[out block][tap][in channel][16]`.
    panels: Vec<Block>,
    bias: Vec<Block>,
}

impl PackedUpConv {
    /// Packs `weights` of `[in channel][out channel][2][2]`, each output's times its `scale` (a
    /// folded batch norm), and one bias per output.
    ///
    /// # Panics
    /// If the lengths do not fit together.
    #[must_use]
    pub fn new(weights: &[f32], inputs: usize, scale: Option<&[f32]>, bias: &[f32]) -> Self {
        let (inputs, outputs) = (Channels::new(&[inputs]), Channels::new(&[bias.len()]));
        assert_eq!(
            weights.len(),
            TAPS * inputs.total() * bias.len(),
            "weights of a 2×2 convolution"
        );
        let mut panels = vec![Block::ZERO; outputs.blocks() * TAPS * inputs.blocks() * LANES];
        fill_forward(&mut panels, weights, &inputs, &outputs);
        if let Some(scale) = scale {
            let size = TAPS * inputs.blocks() * LANES;
            for (panel, scale) in panels.chunks_mut(size.max(1)).zip(channel_blocks(scale)) {
                for (value, scale) in panel.iter_mut().flat_map(|row| row.0.iter_mut().zip(scale.0))
                {
                    *value *= scale;
                }
            }
        }
        Self { bias: channel_blocks(bias), inputs, outputs, panels }
    }

    /// Convolves `source`, and applies ReLU if `relu`.
    ///
    /// # Panics
    /// If the maps do not fit the weights or one another.
    pub fn run(&self, engine: &Engine, source: Source<'_>, relu: bool, output: MapMut<'_>) {
        assert_maps(source.map, &output, self.inputs.total(), self.outputs.total());
        Pointwise {
            input: PointwiseInput::Pixels(&[source]),
            lanes: self.inputs.lanes(),
            panels: &self.panels,
            taps: TAPS,
            bias: Some(&self.bias),
            relu,
        }
        .run(engine, output);
    }
}

/// # Panics
/// If the maps do not fit the weights or one another.
fn assert_maps(small: Map<'_>, large: &MapMut<'_>, inputs: usize, outputs: usize) {
    let (small, large) = (small.shape(), large.shape());
    assert_eq!(
        (small.channels, large.channels),
        (inputs, outputs),
        "channels of a 2×2 convolution"
    );
    assert_eq!((2 * small.height, 2 * small.width), (large.height, large.width), "twice the size");
    assert_eq!(small.batch, large.batch, "batch of a 2×2 convolution");
}

/// Writes `[out block][tap][in channel][16 outputs]`.
fn fill_forward(panels: &mut [Block], weights: &[f32], inputs: &Channels, outputs: &Channels) {
    let rows = inputs.blocks() * LANES;
    panels.par_chunks_mut((TAPS * rows).max(1)).enumerate().for_each(|(block, panel)| {
        panel.fill(Block::ZERO);
        for ci in 0..inputs.total() {
            for (lane, co) in outputs.of_block(block).enumerate() {
                let taps = &weights[(ci * outputs.total() + co) * TAPS..][..TAPS];
                for (tap, weight) in taps.iter().enumerate() {
                    panel[tap * rows + ci].0[lane] = *weight;
                }
            }
        }
    });
}

/// Writes `[in block][tap][out channel][16 inputs]`.
fn fill_backward(panels: &mut [Block], weights: &[f32], inputs: &Channels, outputs: &Channels) {
    let rows = outputs.blocks() * LANES;
    panels.par_chunks_mut((TAPS * rows).max(1)).enumerate().for_each(|(block, panel)| {
        panel.fill(Block::ZERO);
        for (lane, ci) in inputs.of_block(block).enumerate() {
            let row = &weights[ci * outputs.total() * TAPS..][..outputs.total() * TAPS];
            for (co, taps) in row.chunks(TAPS).enumerate() {
                for (tap, weight) in taps.iter().enumerate() {
                    panel[tap * rows + co].0[lane] = *weight;
                }
            }
        }
    });
}

/// Convolves `source`, and returns mean and variance of the outputs.
///
/// # Panics
/// If the maps do not fit the weights or one another.
pub fn forward(
    engine: &Engine,
    weights: &[f32],
    bias: &[f32],
    source: Source<'_>,
    output: MapMut<'_>,
) -> Moments {
    let inputs = Channels::new(&[source.map.shape().channels]);
    let outputs = Channels::new(&[bias.len()]);
    assert_eq!(weights.len(), TAPS * inputs.total() * bias.len(), "weights of a 2×2 convolution");
    assert_maps(source.map, &output, inputs.total(), outputs.total());
    let mut panels: Buffer = engine.arena.take(outputs.blocks() * TAPS * inputs.blocks() * LANES);
    fill_forward(&mut panels, weights, &inputs, &outputs);
    let sums: Vec<PartialSums> = Pointwise {
        input: PointwiseInput::Pixels(&[source]),
        lanes: inputs.lanes(),
        panels: &panels,
        taps: TAPS,
        bias: Some(&channel_blocks(bias)),
        relu: false,
    }
    .run(engine, output);
    Moments::merge(&sums, outputs.blocks(), 0, bias.len())
}

/// The gradient of the input, from the weights and the gradient of the output.
///
/// # Panics
/// If the maps do not fit the weights or one another.
pub fn input_gradient(engine: &Engine, weights: &[f32], gradient: Map<'_>, output: MapMut<'_>) {
    let inputs = Channels::new(&[output.shape().channels]);
    let outputs = Channels::new(&[gradient.shape().channels]);
    assert_eq!(
        weights.len(),
        TAPS * inputs.total() * outputs.total(),
        "weights of a 2×2 convolution"
    );
    let mut panels = engine.arena.take(inputs.blocks() * TAPS * outputs.blocks() * LANES);
    fill_backward(&mut panels, weights, &inputs, &outputs);
    Pointwise {
        input: PointwiseInput::SpaceToDepth(gradient),
        lanes: &outputs.lanes().repeat(TAPS),
        panels: &panels,
        taps: 1,
        bias: None,
        relu: false,
    }
    .run(engine, output);
}

/// The gradient of the weights, `[in channel][out channel][2][2]`, from the input and the gradient
/// of the output.
///
/// # Panics
/// If the maps do not fit the weights or one another.
pub fn weight_gradient(
    engine: &Engine,
    source: Source<'_>,
    gradient: Map<'_>,
    weights: &mut [f32],
) {
    let outputs = Channels::new(&[gradient.shape().channels]);
    let inputs = source.map.shape().channels;
    assert_eq!(weights.len(), TAPS * inputs * outputs.total(), "weights' gradient");
    correlate(engine, &WeightGradient { source, gradient, outputs: &outputs }, weights);
}

/// The outputs' gradient on the left, one point per tap; the inputs on the right.
struct WeightGradient<'a> {
    source: Source<'a>,
    gradient: Map<'a>,
    outputs: &'a Channels,
}

impl Correlation for WeightGradient<'_> {
    fn items(&self) -> usize {
        self.source.map.shape().batch * self.source.map.shape().pixels()
    }

    fn points(&self) -> usize {
        TAPS
    }

    fn right_has_points(&self) -> bool {
        false
    }

    fn left_lanes(&self) -> &[usize] {
        self.outputs.lanes()
    }

    fn right_blocks(&self) -> usize {
        self.source.map.shape().channel_blocks()
    }

    #[inline(always)]
    fn pack_left<S: Simd>(&self, _simd: S, block: usize, items: ItemRange, out: &mut [Block]) {
        let pixels = self.source.map.shape().pixels();
        let width = self.gradient.shape().width;
        let mut done = 0;
        while done < items.count {
            let at = items.first + done;
            let (image, first) = (at / pixels, at % pixels);
            let count = (items.count - done).min(pixels - first);
            let plane = self.gradient.plane(image, block);
            for (tap, line) in out.chunks_mut(items.stride).enumerate().take(TAPS) {
                strided_tap(
                    plane,
                    width,
                    tap,
                    ItemRange { first, count, ..items },
                    &mut line[done..],
                );
            }
            done += count;
        }
    }

    #[inline(always)]
    fn pack_right<S: Simd>(&self, simd: S, block: usize, items: ItemRange, out: &mut [Block]) {
        pack_pixels(simd, self.source, block, items, out);
    }

    fn taps(&self) -> usize {
        TAPS
    }

    #[inline(always)]
    fn epilogue<S: Simd>(&self, _: S, sums: &[Block], left_lanes: usize, out: &mut [&mut [f32]]) {
        for lane in 0..left_lanes {
            for tap in 0..TAPS {
                for (row, sum) in out.iter_mut().zip(sums[tap * LANES + lane].0) {
                    row[lane * TAPS + tap] = sum;
                }
            }
        }
    }
}
