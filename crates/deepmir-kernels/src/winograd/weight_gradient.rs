//! The gradient of a 3×3 convolution's weights: the adjoint of F(4×4, 3×3) in the weights,
//! `dg = Gᵀ [(A dy Aᵀ) ⊙ (Bᵀ d B)] G`, summed over tiles. Like the convolution itself, it needs a
//! quarter of the multiplications of direct summation.

use super::input_transform::InputTransform;
use super::matrices::{IN, OUT, POINTS, output_adjoint, weights_adjoint};
use super::points::{Points, PointsMut};
use super::tiles::Tiles;
use crate::block::{Block, LANES, Map};
use crate::channels::Channels;
use crate::gemm::{Correlation, ItemRange};
use crate::simd::Simd;
use crate::source::Source;

/// The inputs of a convolution against the gradient of its outputs.
pub(crate) struct WeightGradient<'a> {
    pub sources: &'a [Source<'a>],
    pub inputs: &'a Channels,
    pub gradient: Map<'a>,
}

impl Correlation for WeightGradient<'_> {
    fn items(&self) -> usize {
        self.gradient.shape().batch * Tiles::new(self.gradient.shape()).per_image
    }

    fn points(&self) -> usize {
        POINTS
    }

    fn right_has_points(&self) -> bool {
        true
    }

    fn left_lanes(&self) -> &[usize] {
        self.inputs.lanes()
    }

    fn right_blocks(&self) -> usize {
        self.gradient.shape().channel_blocks()
    }

    #[inline(always)]
    fn pack_left<S: Simd>(&self, simd: S, block: usize, items: ItemRange, out: &mut [Block]) {
        let mut channel_block = block;
        for source in self.sources {
            let blocks = source.map.shape().channel_blocks();
            if channel_block < blocks {
                let tiles = Tiles::new(source.map.shape());
                let ItemRange { first, count, stride } = items;
                InputTransform {
                    source: *source,
                    channel_block,
                    tiles,
                    first,
                    count,
                    point_stride: stride,
                }
                .run(simd, out);
                return;
            }
            channel_block -= blocks;
        }
    }

    #[inline(always)]
    fn pack_right<S: Simd>(&self, simd: S, block: usize, items: ItemRange, out: &mut [Block]) {
        let tiles = Tiles::new(self.gradient.shape());
        let mut tile = tiles.at(items.first);
        for i in 0..items.count {
            let plane = self.gradient.plane(tile.image, block);
            let points = PointsMut::new(&mut out[i..], items.stride);
            let inside = tile.y + OUT <= tiles.height && tile.x + OUT <= tiles.width;
            let start = tile.y * tiles.width + tile.x;
            if inside {
                let row = |i: usize| start + i * tiles.width;
                if let (Some(a), Some(b), Some(c), Some(d)) = (
                    plane[row(0)..].first_chunk(),
                    plane[row(1)..].first_chunk(),
                    plane[row(2)..].first_chunk(),
                    plane[row(3)..].first_chunk(),
                ) {
                    output_adjoint_transform(simd, [a, b, c, d], points);
                }
            } else {
                let mut patch = [[Block::ZERO; OUT]; OUT];
                let columns = OUT.min(tiles.width - tile.x);
                for (i, row) in patch.iter_mut().enumerate().take(tiles.height - tile.y) {
                    row[..columns].copy_from_slice(&plane[start + i * tiles.width..][..columns]);
                }
                output_adjoint_transform(
                    simd,
                    [&patch[0], &patch[1], &patch[2], &patch[3]],
                    points,
                );
            }
            tile = tiles.next(tile);
        }
    }

    fn taps(&self) -> usize {
        9
    }

    #[inline(always)]
    fn epilogue<S: Simd>(
        &self,
        simd: S,
        sums: &[Block],
        left_lanes: usize,
        out: &mut [&mut [f32]],
    ) {
        for lane in 0..left_lanes {
            let taps = filter_adjoint_transform(simd, Points::new(&sums[lane..], LANES));
            for (i, row) in out.iter_mut().enumerate() {
                for (value, tap) in row[lane * 9..][..9].iter_mut().zip(&taps) {
                    *value = tap.0[i];
                }
            }
        }
    }
}

/// `A y Aᵀ`: the gradient of a tile's outputs to its points.
#[inline(always)]
fn output_adjoint_transform<S: Simd>(
    simd: S,
    rows: [&[Block; OUT]; OUT],
    mut points: PointsMut<'_>,
) {
    for part in 0..S::PARTS {
        let mut half = [[simd.splat(0.0); OUT]; IN];
        for j in 0..OUT {
            let load = |i: usize| simd.load(&rows[i][j], part);
            let column = output_adjoint(simd, [load(0), load(1), load(2), load(3)]);
            for i in 0..IN {
                half[i][j] = column[i];
            }
        }
        for i in 0..IN {
            let row = output_adjoint(simd, half[i]);
            for j in 0..IN {
                simd.store(row[j], points.at(i, j), part);
            }
        }
    }
}

/// `Gᵀ u G`: the gradient of a filter's points to its nine weights.
#[inline(always)]
fn filter_adjoint_transform<S: Simd>(simd: S, points: Points<'_>) -> [Block; 9] {
    let mut taps = [Block::ZERO; 9];
    for part in 0..S::PARTS {
        let mut half = [[simd.splat(0.0); IN]; 3];
        for j in 0..IN {
            let load = |i: usize| simd.load(points.at(i, j), part);
            let column =
                weights_adjoint(simd, [load(0), load(1), load(2), load(3), load(4), load(5)]);
            for i in 0..3 {
                half[i][j] = column[i];
            }
        }
        for i in 0..3 {
            let row = weights_adjoint(simd, half[i]);
            for j in 0..3 {
                simd.store(row[j], &mut taps[i * 3 + j], part);
            }
        }
    }
    taps
}
