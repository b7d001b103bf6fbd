//! The output transform, from the points of tiles to their outputs: `Y = Aᵀ M A`.

use super::epilogue::{Epilogue, TileExtent};
use super::matrices::{IN, OUT, output};
use super::points::Points;
use super::tiles::Tiles;
use crate::block::Block;
use crate::reduction::PartialSums;
use crate::simd::Simd;
use crate::tiling::OutputRows;

/// The outputs of `count` tiles from `first` on, of one block of channels.
pub(crate) struct OutputTransform<'a> {
    pub tiles: Tiles,
    pub first: usize,
    pub count: usize,
    /// Blocks from one point to the next.
    pub point_stride: usize,
    pub epilogue: Epilogue<'a>,
}

impl OutputTransform<'_> {
    /// Reads point `k` of tile `first + i` at `points[k · point_stride + i]`; `images[0]` is the
    /// first tile's image.
    #[inline(always)]
    pub fn run<S: Simd>(
        &self,
        simd: S,
        points: &[Block],
        images: &mut [OutputRows<'_>],
        first_image: usize,
        mut sums: Option<&mut PartialSums>,
    ) {
        let tiles = self.tiles;
        let mut tile = tiles.at(self.first);
        for i in 0..self.count {
            let points = Points::new(&points[i..], self.point_stride);
            let rows = &mut images[tile.image - first_image];
            let mut at = TileExtent {
                image: tile.image,
                y: tile.y,
                x: tile.x,
                height: OUT.min(tiles.height - tile.y),
                width: OUT.min(tiles.width - tile.x),
                map_width: tiles.width,
            };
            // Nearly all tiles are whole: a copy of the call with sizes known to the compiler.
            if at.height == OUT && at.width == OUT {
                (at.height, at.width) = (OUT, OUT);
                self.tile(simd, points, at, rows, sums.as_deref_mut());
            } else {
                self.tile(simd, points, at, rows, sums.as_deref_mut());
            }
            if let Some(sums) = sums.as_deref_mut() {
                sums.count += at.height * at.width;
            }
            tile = tiles.next(tile);
        }
    }

    #[inline(always)]
    fn tile<S: Simd>(
        &self,
        simd: S,
        points: Points<'_>,
        at: TileExtent,
        rows: &mut OutputRows<'_>,
        mut sums: Option<&mut PartialSums>,
    ) {
        for part in 0..S::PARTS {
            let mut half = [[simd.splat(0.0); IN]; OUT];
            for j in 0..IN {
                let mut column = [simd.splat(0.0); IN];
                for i in 0..IN {
                    column[i] = simd.load(points.at(i, j), part);
                }
                let column = output(simd, column);
                for i in 0..OUT {
                    half[i][j] = column[i];
                }
            }
            let mut tile = [[simd.splat(0.0); OUT]; OUT];
            for i in 0..OUT {
                tile[i] = output(simd, half[i]);
            }
            self.epilogue.write(simd, part, at, tile, rows, sums.as_deref_mut());
        }
    }
}
