//! The filter transform, from weights to points: `U = G g Gᵀ`.

use super::matrices::{IN, weights};
use super::points::PointsMut;
use crate::block::{Block, LANES};
use crate::filter3x3::{FilterBlock, HalfWeights3x3, Weights3x3};
use crate::simd::Simd;

/// Writes point `k` of input channel `i` to `points[k · point_stride + i]`, for `lanes` of the
/// input channels.
#[inline(always)]
pub(crate) fn transform<S: Simd>(
    simd: S,
    block: FilterBlock<'_>,
    lanes: usize,
    points: &mut [Block],
    point_stride: usize,
) {
    match block {
        FilterBlock::Single(weights) => {
            Single(weights).transform(simd, lanes, points, point_stride)
        }
        FilterBlock::Half(weights, scale) => {
            Half(weights, scale).transform(simd, lanes, points, point_stride);
        }
    }
}

/// [`FilterBlock`]. Each variant has its own type, so that the loop is compiled for each.
trait Taps: Copy {
    fn load<S: Simd>(self, simd: S, lane: usize, tap: usize, part: usize) -> S::V;

    #[inline(always)]
    fn transform<S: Simd>(self, simd: S, lanes: usize, points: &mut [Block], point_stride: usize) {
        for lane in 0..lanes.min(LANES) {
            let mut points = PointsMut::new(&mut points[lane..], point_stride);
            for part in 0..S::PARTS {
                let mut half = [[simd.splat(0.0); 3]; IN];
                for j in 0..3 {
                    let mut column = [simd.splat(0.0); 3];
                    for i in 0..3 {
                        column[i] = self.load(simd, lane, i * 3 + j, part);
                    }
                    let column = weights(simd, column);
                    for i in 0..IN {
                        half[i][j] = column[i];
                    }
                }
                for i in 0..IN {
                    let row = weights(simd, half[i]);
                    for j in 0..IN {
                        simd.store(row[j], points.at(i, j), part);
                    }
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Single<'a>(&'a Weights3x3);

impl Taps for Single<'_> {
    #[inline(always)]
    fn load<S: Simd>(self, simd: S, lane: usize, tap: usize, part: usize) -> S::V {
        simd.load(&self.0[lane][tap], part)
    }
}

#[derive(Clone, Copy)]
struct Half<'a>(&'a HalfWeights3x3, &'a Block);

impl Taps for Half<'_> {
    #[inline(always)]
    fn load<S: Simd>(self, simd: S, lane: usize, tap: usize, part: usize) -> S::V {
        simd.mul(simd.load_half(&self.0[lane][tap], part), simd.load(self.1, part))
    }
}
