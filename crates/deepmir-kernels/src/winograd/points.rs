//! The points of a tile, which stand far apart in memory: one bounds check for all of them.

#![allow(unsafe_code, reason = "36 bounds checks a tile would cost a tenth of the transforms")]

use super::matrices::{IN, POINTS};
use crate::block::Block;

/// The 6×6 points of one tile or filter, to be read.
#[derive(Clone, Copy)]
pub(super) struct Points<'a> {
    blocks: &'a [Block],
    stride: usize,
}

/// The 6×6 points of one tile or filter, to be written.
pub(super) struct PointsMut<'a> {
    blocks: &'a mut [Block],
    stride: usize,
}

/// Whether all points lie within `len` blocks.
#[inline(always)]
fn fit(len: usize, stride: usize) -> bool {
    stride < usize::MAX / POINTS && (POINTS - 1) * stride < len
}

impl<'a> Points<'a> {
    /// Points at `blocks[0]`, `blocks[stride]`, …
    #[inline(always)]
    pub fn new(blocks: &'a [Block], stride: usize) -> Self {
        assert!(fit(blocks.len(), stride), "points reach out of their buffer");
        Self { blocks, stride }
    }

    /// The point of a row and a column.
    #[inline(always)]
    pub fn at(&self, row: usize, column: usize) -> &Block {
        assert!(row < IN && column < IN);
        // SAFETY: the index is at most 35 · stride, which `new` has found inside.
        unsafe { self.blocks.get_unchecked((row * IN + column) * self.stride) }
    }
}

impl<'a> PointsMut<'a> {
    /// Points at `blocks[0]`, `blocks[stride]`, …
    #[inline(always)]
    pub fn new(blocks: &'a mut [Block], stride: usize) -> Self {
        assert!(fit(blocks.len(), stride), "points reach out of their buffer");
        Self { blocks, stride }
    }

    /// The point of a row and a column.
    #[inline(always)]
    pub fn at(&mut self, row: usize, column: usize) -> &mut Block {
        assert!(row < IN && column < IN);
        // SAFETY: the index is at most 35 · stride, which `new` has found inside.
        unsafe { self.blocks.get_unchecked_mut((row * IN + column) * self.stride) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_where_the_stride_puts_them() {
        let mut blocks = vec![Block::ZERO; 35 * 3 + 1];
        PointsMut::new(&mut blocks, 3).at(5, 5).0[2] = 7.0;
        assert_eq!(blocks[105].0[2], 7.0);
        assert_eq!(Points::new(&blocks, 3).at(5, 5).0[2], 7.0);
    }

    #[test]
    #[should_panic(expected = "reach out")]
    fn a_buffer_that_is_too_short_is_refused() {
        let _ = Points::new(&[Block::ZERO; 105], 3);
    }
}
