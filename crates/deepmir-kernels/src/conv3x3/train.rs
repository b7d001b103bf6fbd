//! The passes of a 3×3 convolution in training, on weights as PyTorch and Burn store them:
//! `[out channel][in channel][3][3]`.

use crate::block::{Map, MapMut, Shape, channel_blocks};
use crate::channels::Channels;
use crate::engine::Engine;
use crate::filter3x3::{Direction, Filter, PlainFilter};
use crate::gemm::correlate;
use crate::norm::{Gate, Moments, NormGradient};
use crate::source::Source;
use crate::winograd::{Convolution, Epilogue, WeightGradient, convolve};

/// Asserts that sources fit.
///
/// # Panics
/// If the sources do not have the batch and size of `shape`, or `channels` in total.
pub(super) fn assert_sources(sources: &[Source<'_>], shape: Shape, channels: usize) {
    for source in sources {
        let read = source.map.shape();
        assert_eq!(read.with_channels(shape.channels), shape, "maps of a 3×3 convolution");
    }
    let read: usize = sources.iter().map(|source| source.map.shape().channels).sum();
    assert_eq!(read, channels, "channels of a 3×3 convolution");
}

fn channels_of(sources: &[Source<'_>]) -> Channels {
    Channels::new(&sources.iter().map(|s| s.map.shape().channels).collect::<Vec<_>>())
}

/// Convolves `sources`, concatenated along their channels, adds `bias` if given, and returns mean
/// and variance of the outputs.
///
/// # Panics
/// If the maps do not fit the weights or one another.
pub fn forward(
    engine: &Engine,
    weights: &[f32],
    bias: Option<&[f32]>,
    sources: &[Source<'_>],
    output: MapMut<'_>,
) -> Moments {
    let (inputs, outputs) = (channels_of(sources), Channels::new(&[output.shape().channels]));
    assert_sources(sources, output.shape(), inputs.total());
    assert_eq!(weights.len(), 9 * inputs.total() * outputs.total(), "weights of a 3×3 convolution");
    let bias = bias.map(channel_blocks);
    let epilogues: Vec<_> = (0..outputs.blocks())
        .map(|block| Epilogue {
            bias: bias.as_ref().map(|bias| &bias[block]),
            ..Epilogue::default()
        })
        .collect();
    let filter = Filter::Plain(PlainFilter {
        weights,
        inputs: &inputs,
        outputs: &outputs,
        direction: Direction::Forward,
    });
    let convolution = Convolution { sources, filter, epilogues: &epilogues, sums: true };
    let sums = convolve(engine, &convolution, &mut [output], None);
    Moments::merge(&sums, outputs.blocks(), 0, outputs.total())
}

/// Destination of the gradient of one of the maps that a convolution read.
#[derive(Debug)]
pub struct GatedGradient<'a> {
    /// The gradient.
    pub output: MapMut<'a>,
    /// If the map was read through a batch norm and ReLU ([`Prologue::NormRelu`](crate::Prologue), or
    /// the outer of two): that norm and its input. The gradient written is then that of the
    /// norm's output, to be passed on by [`norm_gradient`](crate::norm_gradient).
    pub gate: Option<Gate<'a>>,
}

/// The gradients of the maps that a convolution read, from the gradient of its output. Returns the
/// gradient of the norm for every output with a gate.
///
/// # Panics
/// If the maps do not fit the weights or one another.
pub fn input_gradient(
    engine: &Engine,
    weights: &[f32],
    gradient: Map<'_>,
    outputs: Vec<GatedGradient<'_>>,
) -> Vec<Option<NormGradient>> {
    let counts: Vec<_> = outputs.iter().map(|o| o.output.shape().channels).collect();
    let (inputs, channels) = (Channels::new(&counts), Channels::new(&[gradient.shape().channels]));
    assert_eq!(
        weights.len(),
        9 * inputs.total() * channels.total(),
        "weights of a 3×3 convolution"
    );
    let sources = [Source::new(gradient)];
    let (mut maps, mut epilogues, mut gates) = (Vec::new(), Vec::new(), Vec::new());
    for GatedGradient { output, gate } in outputs {
        assert_sources(&sources, output.shape(), channels.total());
        let blocks = output.shape().channel_blocks();
        gates.push((epilogues.len(), gate));
        epilogues.extend(
            (0..blocks).map(|block| Epilogue {
                gate: gate.map(|gate| (gate, block)),
                ..Epilogue::default()
            }),
        );
        maps.push(output);
    }
    let filter = Filter::Plain(PlainFilter {
        weights,
        inputs: &inputs,
        outputs: &channels,
        direction: Direction::Backward,
    });
    let sums = gates.iter().any(|(_, gate)| gate.is_some());
    let convolution = Convolution { sources: &sources, filter, epilogues: &epilogues, sums };
    let sums = convolve(engine, &convolution, &mut maps, None);
    gates
        .into_iter()
        .map(|(block, gate)| {
            gate.map(|gate| NormGradient::new(gate.norm, &sums, epilogues.len(), block))
        })
        .collect()
}

/// The gradient of the weights, `[out channel][in channel][3][3]`, from what the convolution
/// read and the gradient of its output.
///
/// # Panics
/// If the maps do not fit the weights or one another.
pub fn weight_gradient(
    engine: &Engine,
    sources: &[Source<'_>],
    gradient: Map<'_>,
    weights: &mut [f32],
) {
    let inputs = channels_of(sources);
    assert_sources(sources, gradient.shape(), inputs.total());
    let values = 9 * inputs.total() * gradient.shape().channels;
    assert_eq!(weights.len(), values, "gradient of a 3×3 convolution's weights");
    correlate(engine, &WeightGradient { sources, inputs: &inputs, gradient }, weights);
}
