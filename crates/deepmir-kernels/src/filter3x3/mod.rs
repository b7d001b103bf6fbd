//! Weights of 3×3 convolutions by blocks of sixteen by sixteen channels: plain, as PyTorch and
//! Burn store them, or packed.

mod packed;
mod plain;

pub(crate) use packed::PackedFilter;
pub(crate) use plain::{Direction, PlainFilter};

use crate::block::{Block, LANES};
use crate::channels::Channels;
use crate::half::HalfBlock;
use crate::simd::Simd;

/// The nine weights of sixteen input channels to sixteen output channels:
/// `[input channel][row · 3 + column]`, vectors over output channels.
pub(crate) type Weights3x3 = [[Block; 9]; LANES];
/// The same in half precision.
pub(crate) type HalfWeights3x3 = [[HalfBlock; 9]; LANES];

/// The weights of one block of channels, in the precision in which they are stored.
#[derive(Clone, Copy)]
pub(crate) enum FilterBlock<'a> {
    /// In single precision.
    Single(&'a Weights3x3),
    /// In half precision, to be multiplied by a scale per output channel.
    Half(&'a HalfWeights3x3, &'a Block),
}

/// The weights of a convolution, read one block at a time.
#[derive(Clone, Copy)]
pub(crate) enum Filter<'a> {
    /// Rearranged into blocks as they are read.
    Plain(PlainFilter<'a>),
    /// Rearranged before.
    Packed(&'a PackedFilter),
}

impl<'a> Filter<'a> {
    /// Channels it reads, in [`Direction::Backward`] those of the gradient.
    pub fn reads(&self) -> &'a Channels {
        match self {
            Self::Plain(plain) => plain.reads(),
            Self::Packed(packed) => packed.inputs(),
        }
    }

    /// Channels it writes.
    pub fn writes(&self) -> &'a Channels {
        match self {
            Self::Plain(plain) => plain.writes(),
            Self::Packed(packed) => packed.outputs(),
        }
    }

    /// The weights from one block of channels read to one block written. Plain weights are
    /// rearranged in `scratch`.
    #[inline(always)]
    pub fn block<'s>(
        &'s self,
        write: usize,
        read: usize,
        scratch: &'s mut Weights3x3,
    ) -> FilterBlock<'s> {
        match self {
            Self::Packed(packed) => packed.block(write, read),
            Self::Plain(plain) => {
                plain.fill(write, read, scratch);
                FilterBlock::Single(scratch)
            }
        }
    }

    /// Prefetches one of `of` shares of the weights of `count` blocks. Does nothing where they
    /// are not packed.
    #[inline(always)]
    pub fn prefetch<S: Simd>(
        &self,
        simd: S,
        write: usize,
        (read, count): (usize, usize),
        (share, of): (usize, usize),
    ) {
        if let Self::Packed(packed) = self {
            packed.prefetch(simd, write, (read, count), (share, of));
        }
    }
}
