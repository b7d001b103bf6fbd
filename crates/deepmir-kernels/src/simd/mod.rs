//! One source for every instruction set: kernels are written against [`Simd`] and compiled once
//! for each implementation of it.
//!
//! A value of an implementation is a proof that the CPU has its instructions, since only
//! [`InstructionSet::run`] hands one out, after detection. That is what makes its methods safe
//! to call, and it is the whole reason for the `unsafe` in this folder: the intrinsics
//! themselves, and the jump into a function compiled for them.
//!
//! Everything a [`Task`] calls must be `#[inline(always)]`: code that is not inlined into the
//! function carrying the target features would be compiled without them.

#![allow(
    unsafe_code,
    reason = "intrinsics; each file's safety rests on its token existing only after detection"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod detect;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

pub(crate) use detect::VARIABLE;
pub use detect::{InstructionSet, UnknownInstructionSet};

use crate::block::Block;
use crate::half::HalfBlock;

/// Work that runs on whichever instruction set it is given.
pub(crate) trait Task {
    /// What it returns.
    type Output;

    /// Runs the task. Implementations are `#[inline(always)]`.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Vectors of an instruction set: `V` is one register, `Wide` a whole [`Block`] in registers.
pub(crate) trait Simd: Copy + Send + Sync {
    /// One register of f32 lanes; a block is [`PARTS`](Self::PARTS) of them.
    type V: Copy;
    /// A block.
    type Wide: Copy;
    /// Registers per block.
    const PARTS: usize;
    /// Pixels of the matrix product's register tile.
    const TILE_PIXELS: usize;
    /// Blocks of output channels of the matrix product's register tile.
    const TILE_PANELS: usize;

    /// Calls `task` inside a function compiled for these instructions.
    fn vectorize<T: Task>(self, task: T) -> T::Output;

    fn splat(self, value: f32) -> Self::V;
    fn load(self, block: &Block, part: usize) -> Self::V;
    /// The same numbers in single precision.
    #[inline(always)]
    fn load_half(self, block: &HalfBlock, part: usize) -> Self::V {
        self.load(&block.expand(), part)
    }
    fn store(self, value: Self::V, block: &mut Block, part: usize);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`, rounded once where the instruction set can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger; where one is not a number, `b` (so `max(zero, x)` lets that through).
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `value` in the lanes where `gate` is above zero, zero elsewhere.
    fn where_positive(self, gate: Self::V, value: Self::V) -> Self::V;

    /// Prefetches a value. Has no effect but on time.
    fn prefetch<T>(self, _value: &T) {}

    fn wide_zero(self) -> Self::Wide;
    fn wide_load(self, block: &Block) -> Self::Wide;
    fn wide_store(self, value: Self::Wide, block: &mut Block);
    /// `a · b + c` with the same `a` in every lane.
    fn wide_mul_add(self, a: Self::V, b: Self::Wide, c: Self::Wide) -> Self::Wide;
}
