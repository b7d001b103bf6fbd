//! Weights of a 3×3 convolution, packed once for inference.

use super::filter::{Direction, Filter};
use crate::block::{Block, LANES};
use crate::channels::Channels;
use crate::half::{self, HalfBlock};
use crate::source::channel_blocks;
use crate::winograd::{HalfWeights3x3, Kernel, Weights3x3};

/// Weights of a 3×3 convolution, packed once for inference.
///
/// Where half precision has every one of them, as those that were stored in it, they are kept in
/// it: half the memory, and half of what a pass over few pixels reads. They are made single again
/// in registers, and the results are the same bits.
#[derive(Clone, Debug)]
pub struct PackedConv3x3 {
    pub(super) inputs: Channels,
    pub(super) outputs: Channels,
    blocks: Blocks,
    /// Added to the outputs.
    pub(super) bias: Vec<Block>,
}

/// `[out block][in block]`.
#[derive(Clone, Debug)]
enum Blocks {
    /// Each output's times its scale.
    Single(Vec<Weights3x3>),
    /// As they were given, and the scale of each output.
    Half(Vec<HalfWeights3x3>, Vec<Block>),
}

impl PackedConv3x3 {
    /// Packs `weights` of `[out channel][in channel][3][3]`, each output's times `scale` of it
    /// (a folded batch norm), and a bias an output. `inputs` are the channels of the maps that
    /// it will read.
    ///
    /// # Panics
    /// If the lengths do not fit together.
    #[must_use]
    pub fn new(weights: &[f32], inputs: &[usize], scale: Option<&[f32]>, bias: &[f32]) -> Self {
        let (inputs, outputs) = (Channels::new(inputs), Channels::new(&[bias.len()]));
        assert_eq!(
            weights.len(),
            9 * inputs.total() * outputs.total(),
            "weights of a 3×3 convolution"
        );
        let scale = match scale {
            Some(scale) => channel_blocks(scale),
            None => vec![Block([1.0; LANES]); outputs.blocks()],
        };
        let filter = Filter::Plain {
            weights,
            inputs: &inputs,
            outputs: &outputs,
            direction: Direction::Forward,
        };
        let blocks = if weights.iter().all(|weight| half::exact(*weight).is_some()) {
            Blocks::Half(cut(&filter, |_, block| halves(block)), scale)
        } else {
            Blocks::Single(cut(&filter, |output, block| scaled(block, &scale[output])))
        };
        Self { bias: channel_blocks(bias), inputs, outputs, blocks }
    }

    /// The weights from one block of channels read to one block written.
    #[inline(always)]
    pub(super) fn kernel(&self, write: usize, read: usize) -> Kernel<'_> {
        let at = write * self.inputs.blocks() + read;
        match &self.blocks {
            Blocks::Single(blocks) => Kernel::Single(&blocks[at]),
            Blocks::Half(blocks, scale) => Kernel::Half(&blocks[at], &scale[write]),
        }
    }

    /// The cache lines of the weights of `count` blocks from one on, where there are as many.
    #[inline(always)]
    pub(super) fn lines(&self, write: usize, read: usize, count: usize) -> Lines<'_> {
        fn some<T>(blocks: &[T], at: usize, count: usize) -> &[T] {
            let blocks = blocks.get(at..).unwrap_or_default();
            &blocks[..blocks.len().min(count)]
        }
        let at = write * self.inputs.blocks() + read;
        match &self.blocks {
            Blocks::Single(blocks) => {
                Lines::Single(some(blocks, at, count).as_flattened().as_flattened())
            }
            Blocks::Half(blocks, _) => {
                let halves = some(blocks, at, count).as_flattened().as_flattened();
                Lines::Half(halves.as_chunks().0)
            }
        }
    }
}

/// Memory by cache lines of 64 bytes.
#[derive(Clone, Copy)]
pub(super) enum Lines<'a> {
    Single(&'a [Block]),
    Half(&'a [[HalfBlock; 2]]),
}

/// Cuts weights into blocks and turns each into what is kept of it.
fn cut<T>(filter: &Filter<'_>, keep: impl Fn(usize, &Weights3x3) -> T) -> Vec<T> {
    let (inputs, outputs) = (filter.reads().blocks(), filter.writes().blocks());
    let mut room = [[Block::ZERO; 9]; LANES];
    let mut blocks = Vec::with_capacity(outputs * inputs);
    for output in 0..outputs {
        for input in 0..inputs {
            filter.fill(output, input, &mut room);
            blocks.push(keep(output, &room));
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

/// `block` in half precision, which has all of it.
fn halves(block: &Weights3x3) -> HalfWeights3x3 {
    block.map(|taps| taps.map(|weights| HalfBlock::exact(&weights).unwrap_or(HalfBlock::ZERO)))
}
