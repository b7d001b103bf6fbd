//! What a convolution reads: one or more maps, with what is done to their values on the way in.

use crate::block::{Block, LANES, Map};
use crate::simd::Simd;

/// A scale and a shift a channel: a batch norm with its statistics put in.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// Factors; padding lanes are zero.
    pub scale: Vec<Block>,
    /// Added after; padding lanes are zero.
    pub shift: Vec<Block>,
}

impl Affine {
    /// From one scale and one shift a channel.
    ///
    /// # Panics
    /// If there are not as many of one as of the other.
    #[must_use]
    pub fn new(scale: &[f32], shift: &[f32]) -> Self {
        assert_eq!(scale.len(), shift.len(), "scales and shifts");
        Self { scale: channel_blocks(scale), shift: channel_blocks(shift) }
    }
}

/// Values of consecutive channels as blocks, the last one padded with zeros.
pub(crate) fn channel_blocks(values: &[f32]) -> Vec<Block> {
    values.chunks(LANES).map(Block::from_slice).collect()
}

/// What is done to a value as it is read. Padding around the map stays zero.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// Nothing.
    AsIs,
    /// `max(0, scale · x + shift)`.
    NormRelu(&'a Affine),
    /// [`Entry::NormRelu`] with the first, then with the second.
    NormReluTwice(&'a Affine, &'a Affine),
}

/// A map to read. Convolutions that take several see them as joined along their channels.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The map.
    pub map: Map<'a>,
    /// What is done to its values.
    pub entry: Entry<'a>,
}

impl<'a> Source<'a> {
    /// A map as it is.
    #[must_use]
    pub const fn new(map: Map<'a>) -> Self {
        Self { map, entry: Entry::AsIs }
    }

    /// A map whose values pass a batch norm and a ReLU as they are read.
    #[must_use]
    pub const fn norm_relu(map: Map<'a>, norm: &'a Affine) -> Self {
        Self { map, entry: Entry::NormRelu(norm) }
    }
}

/// [`Entry`] for one channel block, with a type a variant so that loops are compiled for each.
pub(crate) trait Enter: Copy {
    fn enter<S: Simd>(self, simd: S, part: usize, value: S::V) -> S::V;
}

/// [`Entry::AsIs`].
#[derive(Clone, Copy)]
pub(crate) struct AsIs;

impl Enter for AsIs {
    #[inline(always)]
    fn enter<S: Simd>(self, _simd: S, _part: usize, value: S::V) -> S::V {
        value
    }
}

/// [`Entry::NormRelu`]: the scale and shift of a channel block.
#[derive(Clone, Copy)]
pub(crate) struct NormRelu<'a> {
    scale: &'a Block,
    shift: &'a Block,
}

impl<'a> NormRelu<'a> {
    #[inline(always)]
    pub fn new(affine: &'a Affine, channel_block: usize) -> Self {
        Self { scale: &affine.scale[channel_block], shift: &affine.shift[channel_block] }
    }

    /// What the ReLU sees.
    #[inline(always)]
    pub fn norm<S: Simd>(self, simd: S, part: usize, value: S::V) -> S::V {
        simd.mul_add(value, simd.load(self.scale, part), simd.load(self.shift, part))
    }
}

impl Enter for NormRelu<'_> {
    #[inline(always)]
    fn enter<S: Simd>(self, simd: S, part: usize, value: S::V) -> S::V {
        simd.max(simd.splat(0.0), self.norm(simd, part, value))
    }
}

impl<A: Enter, B: Enter> Enter for (A, B) {
    #[inline(always)]
    fn enter<S: Simd>(self, simd: S, part: usize, value: S::V) -> S::V {
        self.1.enter(simd, part, self.0.enter(simd, part, value))
    }
}

/// A loop over values of one channel block, to be compiled for each kind of [`Entry`].
pub(crate) trait WithEntry {
    fn run<E: Enter>(self, entry: E);
}

impl Entry<'_> {
    /// Calls `body` with this entry's values for one channel block.
    #[inline(always)]
    pub(crate) fn with<B: WithEntry>(self, channel_block: usize, body: B) {
        match self {
            Entry::AsIs => body.run(AsIs),
            Entry::NormRelu(norm) => body.run(NormRelu::new(norm, channel_block)),
            Entry::NormReluTwice(first, second) => body
                .run((NormRelu::new(first, channel_block), NormRelu::new(second, channel_block))),
        }
    }
}
