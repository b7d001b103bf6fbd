//! Weights of 3×3 convolutions: as PyTorch and Burn keep them, or packed.

use super::PackedConv3x3;
use super::packed::Lines;
use crate::block::{Block, LANES};
use crate::channels::Channels;
use crate::simd::Simd;
use crate::winograd::{Kernel, Weights3x3};

/// Which way a convolution's weights are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From inputs to outputs.
    Forward,
    /// From the outputs' gradient to the inputs': channels swapped, rows and columns reversed.
    Backward,
}

/// Weights to convolve with, a block of sixteen by sixteen channels at a time.
#[derive(Clone, Copy)]
pub(crate) enum Filter<'a> {
    /// `[out channel][in channel][3][3]`, cut into blocks on the fly.
    Plain { weights: &'a [f32], inputs: &'a Channels, outputs: &'a Channels, direction: Direction },
    /// Cut before.
    Packed(&'a PackedConv3x3),
}

impl<'a> Filter<'a> {
    /// Channels it reads, in [`Direction::Backward`] those of the gradient.
    pub fn reads(&self) -> &'a Channels {
        match self {
            Self::Plain { inputs, direction: Direction::Forward, .. } => inputs,
            Self::Plain { outputs, .. } => outputs,
            Self::Packed(packed) => &packed.inputs,
        }
    }

    /// Channels it writes.
    pub fn writes(&self) -> &'a Channels {
        match self {
            Self::Plain { outputs, direction: Direction::Forward, .. } => outputs,
            Self::Plain { inputs, .. } => inputs,
            Self::Packed(packed) => &packed.outputs,
        }
    }

    /// The weights from one block of channels read to one block written.
    #[inline(always)]
    pub fn block<'s>(&'s self, write: usize, read: usize, room: &'s mut Weights3x3) -> Kernel<'s> {
        match self {
            Self::Packed(packed) => packed.kernel(write, read),
            Self::Plain { .. } => {
                self.fill(write, read, room);
                Kernel::Single(room)
            }
        }
    }

    /// Says that the weights of `count` blocks will be read soon, one of `of` shares of them.
    /// Where they were not packed, nothing.
    #[inline(always)]
    pub fn prefetch<S: Simd>(
        &self,
        simd: S,
        write: usize,
        (read, count): (usize, usize),
        (share, of): (usize, usize),
    ) {
        let Self::Packed(packed) = self else { return };
        match packed.lines(write, read, count) {
            Lines::Single(lines) => prefetch(simd, lines, count * LANES * 9, (share, of)),
            Lines::Half(lines) => prefetch(simd, lines, count * LANES * 9 / 2, (share, of)),
        }
    }

    /// Cuts a block out of plain weights.
    pub(super) fn fill(&self, write: usize, read: usize, room: &mut Weights3x3) {
        let Self::Plain { weights, inputs, outputs, direction } = self else { return };
        let (output, input) = match direction {
            Direction::Forward => (write, read),
            Direction::Backward => (read, write),
        };
        *room = [[Block::ZERO; 9]; LANES];
        for (i, co) in outputs.of_block(output).enumerate() {
            for (j, ci) in inputs.of_block(input).enumerate() {
                let at = (co * inputs.total() + ci) * 9;
                for (tap, weight) in weights[at..at + 9].iter().enumerate() {
                    match direction {
                        Direction::Forward => room[j][tap].0[i] = *weight,
                        Direction::Backward => room[i][8 - tap].0[j] = *weight,
                    }
                }
            }
        }
    }
}

/// Prefetches one of `of` shares of `full` lines, as far as there are so many.
#[inline(always)]
fn prefetch<S: Simd, T>(simd: S, lines: &[T], full: usize, (share, of): (usize, usize)) {
    for line in lines.chunks(full.div_ceil(of)).nth(share).unwrap_or_default() {
        simd.prefetch(line);
    }
}
