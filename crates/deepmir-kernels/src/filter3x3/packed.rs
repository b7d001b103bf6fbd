//! Weights packed into blocks, once for inference.

use super::plain::{Direction, PlainFilter};
use super::{FilterBlock, HalfWeights3x3, Weights3x3};
use crate::block::{Block, LANES, channel_blocks};
use crate::channels::Channels;
use crate::half::{self, HalfBlock};
use crate::simd::Simd;

/// Weights packed into blocks; in half precision where that represents every one exactly.
#[derive(Clone, Debug)]
pub(crate) struct PackedFilter {
    inputs: Channels,
    outputs: Channels,
    blocks: Blocks,
}

/// `[out block][in block]`.
#[derive(Clone, Debug)]
enum Blocks {
    /// Each output's weights times its scale.
    Single(Vec<Weights3x3>),
    /// The weights as they were given, and the scale of each output.
    Half(Vec<HalfWeights3x3>, Vec<Block>),
}

impl PackedFilter {
    /// Packs `weights` of `[out channel][in channel][3][3]`, each output's times its `scale`.
    ///
    /// # Panics
    /// If there are not as many weights as the channels say.
    pub fn new(
        weights: &[f32],
        inputs: Channels,
        outputs: Channels,
        scale: Option<&[f32]>,
    ) -> Self {
        assert_eq!(
            weights.len(),
            9 * inputs.total() * outputs.total(),
            "weights of a 3×3 convolution"
        );
        let scale = match scale {
            Some(scale) => channel_blocks(scale),
            None => vec![Block([1.0; LANES]); outputs.blocks()],
        };
        let plain = PlainFilter {
            weights,
            inputs: &inputs,
            outputs: &outputs,
            direction: Direction::Forward,
        };
        let blocks = if weights.iter().all(|weight| half::exact(*weight).is_some()) {
            Blocks::Half(pack(&plain, |_, block| halved(block)), scale)
        } else {
            Blocks::Single(pack(&plain, |output, block| scaled(block, &scale[output])))
        };
        Self { inputs, outputs, blocks }
    }

    /// Channels it reads.
    pub const fn inputs(&self) -> &Channels {
        &self.inputs
    }

    /// Channels it writes.
    pub const fn outputs(&self) -> &Channels {
        &self.outputs
    }

    /// The weights from one block of channels read to one block written.
    #[inline(always)]
    pub fn block(&self, write: usize, read: usize) -> FilterBlock<'_> {
        let at = write * self.inputs.blocks() + read;
        match &self.blocks {
            Blocks::Single(blocks) => FilterBlock::Single(&blocks[at]),
            Blocks::Half(blocks, scale) => FilterBlock::Half(&blocks[at], &scale[write]),
        }
    }

    /// Prefetches one of `of` shares of the weights of `count` blocks from `read` on.
    #[inline(always)]
    pub fn prefetch<S: Simd>(
        &self,
        simd: S,
        write: usize,
        (read, count): (usize, usize),
        (share, of): (usize, usize),
    ) {
        let at = write * self.inputs.blocks() + read;
        match &self.blocks {
            Blocks::Single(blocks) => {
                let lines = at_most(blocks, at, count).as_flattened().as_flattened();
                prefetch_share(simd, lines, count * LANES * 9, (share, of));
            }
            Blocks::Half(blocks, _) => {
                // Two half blocks share a cache line.
                let halves = at_most(blocks, at, count).as_flattened().as_flattened();
                let lines: &[[HalfBlock; 2]] = halves.as_chunks().0;
                prefetch_share(simd, lines, count * LANES * 9 / 2, (share, of));
            }
        }
    }
}

/// `count` blocks from `at` on, or as many as there are.
#[inline(always)]
fn at_most<T>(blocks: &[T], at: usize, count: usize) -> &[T] {
    let blocks = blocks.get(at..).unwrap_or_default();
    &blocks[..blocks.len().min(count)]
}

/// Prefetches one of `of` shares of `full` cache lines, as far as there are that many.
#[inline(always)]
fn prefetch_share<S: Simd, T>(simd: S, lines: &[T], full: usize, (share, of): (usize, usize)) {
    for line in lines.chunks(full.div_ceil(of)).nth(share).unwrap_or_default() {
        simd.prefetch(line);
    }
}

/// Rearranges weights into blocks and converts each for storage.
fn pack<T>(plain: &PlainFilter<'_>, convert: impl Fn(usize, &Weights3x3) -> T) -> Vec<T> {
    let (inputs, outputs) = (plain.inputs.blocks(), plain.outputs.blocks());
    let mut scratch = [[Block::ZERO; 9]; LANES];
    let mut blocks = Vec::with_capacity(outputs * inputs);
    for output in 0..outputs {
        for input in 0..inputs {
            plain.fill(output, input, &mut scratch);
            blocks.push(convert(output, &scratch));
        }
    }
    blocks
}

fn scaled(block: &Weights3x3, scale: &Block) -> Weights3x3 {
    let mut block = *block;
    for weight in block.as_flattened_mut() {
        for (weight, factor) in weight.0.iter_mut().zip(scale.0) {
            *weight *= factor;
        }
    }
    block
}

/// `block` in half precision, which represents all of it exactly.
fn halved(block: &Weights3x3) -> HalfWeights3x3 {
    block.map(|taps| taps.map(|weights| HalfBlock::exact(&weights).unwrap_or(HalfBlock::ZERO)))
}
