//! The input transform, from a map to the points of its tiles: `V = Bᵀ d B`.

use super::matrices::{IN, OUT, input};
use super::points::PointsMut;
use super::tiles::{Tile, Tiles};
use crate::block::{Block, LANES};
use crate::prologue::{Identity, PrologueOp, WithPrologue};
use crate::simd::Simd;
use crate::source::Source;

/// The points of `count` tiles from `first` on, of one channel block of a source.
pub(crate) struct InputTransform<'a> {
    pub source: Source<'a>,
    pub channel_block: usize,
    pub tiles: Tiles,
    pub first: usize,
    pub count: usize,
    /// Blocks from one point to the next.
    pub point_stride: usize,
}

impl InputTransform<'_> {
    /// Writes point `k` of tile `first + i` to `points[k · point_stride + i]`; registers without
    /// a channel in use are left out.
    #[inline(always)]
    pub fn run<S: Simd>(&self, simd: S, points: &mut [Block]) {
        self.source.prologue.with(self.channel_block, Body { simd, gather: self, points });
    }
}

struct Body<'a, S> {
    simd: S,
    gather: &'a InputTransform<'a>,
    points: &'a mut [Block],
}

impl<S: Simd> WithPrologue for Body<'_, S> {
    #[inline(always)]
    fn run<E: PrologueOp>(self, prologue: E) {
        let InputTransform { source, channel_block, tiles, first, count, point_stride } =
            *self.gather;
        let lanes = LANES.min(source.map.shape().channels - channel_block * LANES);
        let parts = lanes.div_ceil(LANES / S::PARTS);
        let mut tile = tiles.at(first);
        for i in 0..count {
            let plane = source.map.plane(tile.image, channel_block);
            let out = &mut self.points[i..];
            if let Some(rows) = inner_rows(plane, tiles, tile) {
                transform(self.simd, rows, prologue, parts, out, point_stride);
            } else {
                let patch = padded_patch(self.simd, plane, tiles, tile, prologue);
                let rows = [&patch[0], &patch[1], &patch[2], &patch[3], &patch[4], &patch[5]];
                transform(self.simd, rows, Identity, parts, out, point_stride);
            }
            tile = tiles.next(tile);
        }
    }
}

/// The six rows of a tile's inputs, if all of them lie inside the map.
#[inline(always)]
fn inner_rows(plane: &[Block], tiles: Tiles, tile: Tile) -> Option<[&[Block; IN]; IN]> {
    let inside =
        tile.y > 0 && tile.x > 0 && tile.y + OUT < tiles.height && tile.x + OUT < tiles.width;
    if !inside {
        return None;
    }
    let start = (tile.y - 1) * tiles.width + tile.x - 1;
    let mut rows = [&[Block::ZERO; IN]; IN];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = plane.get(start + i * tiles.width..)?.first_chunk()?;
    }
    Some(rows)
}

/// The inputs of a tile that crosses the map's border, padded with zeros.
#[inline(always)]
fn padded_patch<S: Simd, E: PrologueOp>(
    simd: S,
    plane: &[Block],
    tiles: Tiles,
    tile: Tile,
    prologue: E,
) -> [[Block; IN]; IN] {
    let mut patch = [[Block::ZERO; IN]; IN];
    for (i, row) in patch.iter_mut().enumerate() {
        let y = tile.y + i;
        if y == 0 || y > tiles.height {
            continue;
        }
        for (j, block) in row.iter_mut().enumerate() {
            let x = tile.x + j;
            if x == 0 || x > tiles.width {
                continue;
            }
            let read = &plane[(y - 1) * tiles.width + x - 1];
            for part in 0..S::PARTS {
                let value = prologue.apply(simd, part, simd.load(read, part));
                simd.store(value, block, part);
            }
        }
    }
    patch
}

#[inline(always)]
fn transform<S: Simd, E: PrologueOp>(
    simd: S,
    rows: [&[Block; IN]; IN],
    prologue: E,
    parts: usize,
    points: &mut [Block],
    point_stride: usize,
) {
    let mut points = PointsMut::new(points, point_stride);
    for part in 0..S::PARTS.min(parts) {
        let mut half = [[simd.splat(0.0); IN]; IN];
        for j in 0..IN {
            let mut column = [simd.splat(0.0); IN];
            for i in 0..IN {
                column[i] = prologue.apply(simd, part, simd.load(&rows[i][j], part));
            }
            let column = input(simd, column);
            for i in 0..IN {
                half[i][j] = column[i];
            }
        }
        for i in 0..IN {
            let row = input(simd, half[i]);
            for j in 0..IN {
                simd.store(row[j], points.at(i, j), part);
            }
        }
    }
}
