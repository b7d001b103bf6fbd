//! From weights to their points: `U = G g Gᵀ`.

use super::matrices::{IN, weights};
use super::points::PointsMut;
use crate::block::{Block, LANES};
use crate::simd::Simd;

/// The nine weights of sixteen input channels to sixteen output channels:
/// `[input channel][row · 3 + column]`, vectors over output channels.
pub(crate) type Weights3x3 = [[Block; 9]; LANES];

/// Writes point `k` of input channel `i` to `points[k · point_stride + i]`, for `lanes` of the
/// input channels.
#[inline(always)]
pub(crate) fn transform<S: Simd>(
    simd: S,
    block: &Weights3x3,
    lanes: usize,
    points: &mut [Block],
    point_stride: usize,
) {
    for (lane, g) in block.iter().enumerate().take(lanes) {
        let mut points = PointsMut::new(&mut points[lane..], point_stride);
        for part in 0..S::PARTS {
            let mut half = [[simd.splat(0.0); 3]; IN];
            for j in 0..3 {
                let load = |i: usize| simd.load(&g[i * 3 + j], part);
                let column = weights(simd, [load(0), load(1), load(2)]);
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
