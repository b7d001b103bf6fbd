//! The backward pass of batch norm.

use super::statistics::Norm;
use crate::block::{Block, LANES, MapMut, channel_blocks};
use crate::elementwise::{self, Chunk, Pass};
use crate::engine::Engine;
use crate::prologue::{PrologueOp, WithPrologue};
use crate::reduction::PartialSums;
use crate::simd::Simd;
use crate::source::Source;

/// The gradients of a batch norm's parameters, and the coefficients of its input's gradient.
#[derive(Clone, Debug)]
pub struct NormGradient {
    /// Of the scales.
    pub gamma: Vec<f32>,
    /// Of the shifts.
    pub beta: Vec<f32>,
    /// `dx = scale · dy + slope · x + offset`.
    pub(crate) scale: Vec<Block>,
    pub(crate) slope: Vec<Block>,
    pub(crate) offset: Vec<Block>,
}

impl NormGradient {
    /// From the sums of the gradient and of its products with `x − mean` over a batch (Ioffe &
    /// Szegedy 2015). `parts` has `blocks` entries per part; the norm's first block is `block`.
    pub(crate) fn new(norm: &Norm, parts: &[PartialSums], blocks: usize, block: usize) -> Self {
        let channels = norm.inverse_deviation.len();
        let (mut gamma, mut beta) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
        let (mut slope, mut offset) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
        for channel in 0..channels {
            let lane = |blocks: &[Block]| f64::from(blocks[channel / LANES].0[channel % LANES]);
            let (sum, product) = PartialSums::total(parts, blocks, block * LANES + channel);
            let inverse = f64::from(norm.inverse_deviation[channel]);
            let (scale, mean) = (lane(&norm.affine.scale), lane(&norm.mean));
            let count = norm.count as f64;
            let along = -scale * inverse * inverse * product / count;
            gamma.push((product * inverse) as f32);
            beta.push(sum as f32);
            slope.push(along as f32);
            offset.push((-scale * sum / count - along * mean) as f32);
        }
        Self {
            gamma,
            beta,
            scale: norm.affine.scale.clone(),
            slope: channel_blocks(&slope),
            offset: channel_blocks(&offset),
        }
    }
}

impl NormGradient {
    /// The gradient of the norm's input `x` from that of its output.
    #[inline(always)]
    pub(crate) fn apply<S: Simd>(
        &self,
        simd: S,
        block: usize,
        part: usize,
        gradient: S::V,
        x: S::V,
    ) -> S::V {
        let slope = simd.load(&self.slope[block], part);
        let along = simd.mul_add(slope, x, simd.load(&self.offset[block], part));
        simd.mul_add(simd.load(&self.scale[block], part), gradient, along)
    }
}

/// Turns the gradient of a batch norm's outputs into that of its inputs, in place; `source` is
/// the norm's input.
pub fn norm_gradient(
    engine: &Engine,
    source: Source<'_>,
    through: &NormGradient,
    mut gradient: MapMut<'_>,
) {
    elementwise::run(engine, &ThroughNorm { source, through }, &mut gradient);
}

struct ThroughNorm<'a> {
    source: Source<'a>,
    through: &'a NormGradient,
}

impl Pass for ThroughNorm<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, chunk: Chunk<'_>, _sums: &mut PartialSums) {
        self.source.prologue.with(chunk.block, Body { simd, pass: self, chunk });
    }
}

struct Body<'a, S> {
    simd: S,
    pass: &'a ThroughNorm<'a>,
    chunk: Chunk<'a>,
}

impl<S: Simd> WithPrologue for Body<'_, S> {
    #[inline(always)]
    fn run<E: PrologueOp>(self, prologue: E) {
        let Self { simd, pass: ThroughNorm { source, through }, chunk } = self;
        let plane = source.map.plane(chunk.image, chunk.block);
        let read = &plane[chunk.row * source.map.shape().width..];
        let block = chunk.block;
        for (gradient, x) in chunk.blocks.iter_mut().zip(read) {
            for part in 0..S::PARTS {
                let x = prologue.apply(simd, part, simd.load(x, part));
                let value = through.apply(simd, block, part, simd.load(gradient, part), x);
                simd.store(value, gradient, part);
            }
        }
    }
}
