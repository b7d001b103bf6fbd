//! The matrix product inside every weight gradient: outer products of channels, summed over pixels.

use crate::block::{Block, LANES};
use crate::simd::Simd;

/// `sums[row] (+)= Σ left[pixel][row] · right[pixel]` for the sixteen rows (lanes of `left`).
pub(crate) struct OuterProduct<'a> {
    /// One block per pixel; its lanes are rows of the result.
    pub left: &'a [Block],
    /// One block per pixel; its lanes are columns of the result.
    pub right: &'a [Block],
    /// Number of rows in use.
    pub rows: usize,
    /// Whether `sums` is added to, or set.
    pub accumulate: bool,
}

impl OuterProduct<'_> {
    /// Computes it. Each sum is one chain over the pixels in their order.
    #[inline(always)]
    pub fn run<S: Simd>(&self, simd: S, sums: &mut [Block; LANES]) {
        if S::TILE_PIXELS >= 12 && self.rows == LANES {
            self.tile::<S, 16>(simd, 0, sums);
        } else if S::TILE_PIXELS >= 6 && self.rows == LANES {
            self.tile::<S, 6>(simd, 0, sums);
            self.tile::<S, 5>(simd, 6, sums);
            self.tile::<S, 5>(simd, 11, sums);
        } else {
            let most = if S::TILE_PIXELS >= 6 { 5 } else { 2 };
            let mut row = 0;
            while row < self.rows {
                let rows = (self.rows - row).min(most);
                match rows {
                    1 => self.tile::<S, 1>(simd, row, sums),
                    2 => self.tile::<S, 2>(simd, row, sums),
                    3 => self.tile::<S, 3>(simd, row, sums),
                    4 => self.tile::<S, 4>(simd, row, sums),
                    _ => self.tile::<S, 5>(simd, row, sums),
                }
                row += rows;
            }
        }
    }

    /// `N` rows from `first` on, held in registers over all pixels.
    #[inline(always)]
    fn tile<S: Simd, const N: usize>(&self, simd: S, first: usize, sums: &mut [Block; LANES]) {
        let sums: &mut [Block] = &mut sums[first..first + N];
        let mut held = [simd.wide_zero(); N];
        if self.accumulate {
            for n in 0..N {
                held[n] = simd.wide_load(&sums[n]);
            }
        }
        for (left, right) in self.left.iter().zip(self.right) {
            let right = simd.wide_load(right);
            let lanes: &[f32] = &left.0[first..first + N];
            for n in 0..N {
                held[n] = simd.wide_mul_add(simd.splat(lanes[n]), right, held[n]);
            }
        }
        for n in 0..N {
            simd.wide_store(held[n], &mut sums[n]);
        }
    }
}
