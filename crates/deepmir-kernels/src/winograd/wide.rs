//! Convolution of maps with many Winograd tiles. Threads take tiles of rows, and carry a few
//! Winograd tiles at a time through all channels while they are in the second-level cache.

use rayon::prelude::*;

use super::convolution::Convolution;
use super::filter_transform;
use super::input_transform::InputTransform;
use super::matrices::{OUT, POINTS};
use super::output_transform::OutputTransform;
use super::tiles::Tiles;
use crate::block::{Block, LANES, MapMut};
use crate::engine::Engine;
use crate::filter3x3::Filter;
use crate::gemm::Gemm;
use crate::reduction::PartialSums;
use crate::simd::{Simd, Task};
use crate::tiling::{RowTile, row_tiles};

/// Cache that the current tiles may occupy, in blocks of 64 bytes.
const CACHE_BLOCKS: usize = 5 * 1024;

/// Convolves. The partial sums come back in a fixed order: for every tile of rows, one per channel
/// block.
pub(crate) fn convolve(
    engine: &Engine,
    convolution: &Convolution<'_>,
    outputs: &mut [MapMut<'_>],
    pooled: Option<&mut MapMut<'_>>,
) -> Vec<PartialSums> {
    let shape = outputs[0].shape();
    let tiles = Tiles::new(shape);
    let (reads, writes) = (convolution.filter.reads(), convolution.filter.writes());
    let panel_rows = reads.blocks() * LANES + 1;
    let mut filters = engine.arena.take(writes.blocks() * POINTS * panel_rows);
    filters.par_chunks_mut(POINTS * panel_rows).enumerate().for_each(|(write, points)| {
        engine.set.run(FilterTask { filter: convolution.filter, write, points });
    });

    let step =
        (CACHE_BLOCKS / (POINTS * (reads.blocks() + writes.blocks()))).clamp(12, 48) / 12 * 12;
    let rows_per_tile = step.div_ceil(tiles.per_row) * OUT;
    let row_tiles = row_tiles(outputs, pooled, rows_per_tile);
    let mut sums = vec![
        PartialSums::ZERO;
        if convolution.sums { row_tiles.len() * writes.blocks() } else { 0 }
    ];
    let mut sums_of_tiles: Vec<_> = sums.chunks_mut(writes.blocks()).collect();
    sums_of_tiles.resize_with(row_tiles.len(), Default::default);
    row_tiles.into_par_iter().zip(sums_of_tiles).for_each(|(row_tile, sums)| {
        let stride = step | 1;
        let mut points = engine.arena.take(reads.blocks() * POINTS * stride);
        let mut products = engine.arena.take(writes.blocks() * POINTS * stride);
        engine.set.run(RowTileTask {
            convolution,
            tiles,
            step,
            stride,
            filters: &filters,
            points: &mut points,
            products: &mut products,
            row_tile,
            sums,
        });
    });
    sums
}

struct FilterTask<'a> {
    filter: Filter<'a>,
    write: usize,
    points: &'a mut [Block],
}

impl Task for FilterTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let reads = self.filter.reads();
        let mut scratch = [[Block::ZERO; 9]; LANES];
        for read in 0..reads.blocks() {
            let block = self.filter.block(self.write, read, &mut scratch);
            let points = &mut self.points[read * LANES..];
            filter_transform::transform(
                simd,
                block,
                reads.lanes()[read],
                points,
                reads.blocks() * LANES + 1,
            );
        }
    }
}

struct RowTileTask<'a> {
    convolution: &'a Convolution<'a>,
    tiles: Tiles,
    step: usize,
    stride: usize,
    filters: &'a [Block],
    points: &'a mut [Block],
    products: &'a mut [Block],
    row_tile: RowTile<'a>,
    /// One per block of output channels, or none.
    sums: &'a mut [PartialSums],
}

impl Task for RowTileTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let Tiles { per_row, per_image, .. } = self.tiles;
        let start = self.row_tile.image * per_image;
        let mut first = start + self.row_tile.first_row / OUT * per_row;
        let last =
            first + (self.row_tile.rows[0].rows.len() / self.tiles.width).div_ceil(OUT) * per_row;
        while first < last {
            let count = self.step.min(last - first);
            self.tiles(simd, first, count);
            first += count;
        }
    }
}

impl RowTileTask<'_> {
    #[inline(always)]
    fn tiles<S: Simd>(&mut self, simd: S, first: usize, count: usize) {
        let (stride, tiles) = (self.stride, self.tiles);
        let reads = self.convolution.filter.reads();
        let mut block = 0;
        for source in self.convolution.sources {
            for channel_block in 0..source.map.shape().channel_blocks() {
                let points = &mut self.points[block * POINTS * stride..][..POINTS * stride];
                InputTransform {
                    source: *source,
                    channel_block,
                    tiles,
                    first,
                    count,
                    point_stride: stride,
                }
                .run(simd, points);
                block += 1;
            }
        }
        for point in 0..POINTS {
            Gemm {
                pixels: &self.points[point * stride..],
                pixel_stride: POINTS * stride,
                count,
                lanes: reads.lanes(),
                panels: &self.filters[point * (reads.blocks() * LANES + 1)..],
                panel_stride: POINTS * (reads.blocks() * LANES + 1),
                panel_count: self.row_tile.rows.len(),
                out_stride: POINTS * stride,
                accumulate: false,
            }
            .run(simd, &mut self.products[point * stride..]);
        }
        for (write, rows) in self.row_tile.rows.iter_mut().enumerate() {
            OutputTransform {
                tiles,
                first,
                count,
                point_stride: stride,
                epilogue: self.convolution.epilogues[write],
            }
            .run(
                simd,
                &self.products[write * POINTS * stride..][..POINTS * stride],
                std::slice::from_mut(rows),
                self.row_tile.image,
                self.sums.get_mut(write),
            );
        }
    }
}
