//! The prologue of a kernel: what it does to input values as it reads them.

use crate::block::{Block, channel_blocks};
use crate::simd::Simd;

/// A scale and a shift per channel: a batch norm with its statistics folded in.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// Factors; padding lanes are zero.
    pub scale: Vec<Block>,
    /// Added after scaling; padding lanes are zero.
    pub shift: Vec<Block>,
}

impl Affine {
    /// From one scale and one shift per channel.
    ///
    /// # Panics
    /// If there are not as many of one as of the other.
    #[must_use]
    pub fn new(scale: &[f32], shift: &[f32]) -> Self {
        assert_eq!(scale.len(), shift.len(), "scales and shifts");
        Self { scale: channel_blocks(scale), shift: channel_blocks(shift) }
    }
}

/// What is done to a value as it is read. Padding around the map stays zero.
#[derive(Clone, Copy, Debug)]
pub enum Prologue<'a> {
    /// Nothing.
    Identity,
    /// `max(0, scale · x + shift)`.
    NormRelu(&'a Affine),
    /// [`Prologue::NormRelu`] with the first, then with the second.
    NormReluTwice(&'a Affine, &'a Affine),
}

/// [`Prologue`] for one channel block. Each variant has its own type, so that loops are compiled
/// for each.
pub(crate) trait PrologueOp: Copy {
    fn apply<S: Simd>(self, simd: S, part: usize, value: S::V) -> S::V;
}

/// [`Prologue::Identity`].
#[derive(Clone, Copy)]
pub(crate) struct Identity;

impl PrologueOp for Identity {
    #[inline(always)]
    fn apply<S: Simd>(self, _simd: S, _part: usize, value: S::V) -> S::V {
        value
    }
}

/// [`Prologue::NormRelu`]: the scale and shift of one channel block.
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

    /// The input of the ReLU.
    #[inline(always)]
    pub fn norm<S: Simd>(self, simd: S, part: usize, value: S::V) -> S::V {
        simd.mul_add(value, simd.load(self.scale, part), simd.load(self.shift, part))
    }
}

impl PrologueOp for NormRelu<'_> {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, part: usize, value: S::V) -> S::V {
        simd.max(simd.splat(0.0), self.norm(simd, part, value))
    }
}

impl<A: PrologueOp, B: PrologueOp> PrologueOp for (A, B) {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, part: usize, value: S::V) -> S::V {
        self.1.apply(simd, part, self.0.apply(simd, part, value))
    }
}

/// A loop over values of one channel block, to be compiled for each kind of [`Prologue`].
pub(crate) trait WithPrologue {
    fn run<P: PrologueOp>(self, prologue: P);
}

impl Prologue<'_> {
    /// Calls `body` with the operation of this prologue for one channel block.
    #[inline(always)]
    pub(crate) fn with<B: WithPrologue>(self, channel_block: usize, body: B) {
        match self {
            Prologue::Identity => body.run(Identity),
            Prologue::NormRelu(norm) => body.run(NormRelu::new(norm, channel_block)),
            Prologue::NormReluTwice(first, second) => body
                .run((NormRelu::new(first, channel_block), NormRelu::new(second, channel_block))),
        }
    }
}
