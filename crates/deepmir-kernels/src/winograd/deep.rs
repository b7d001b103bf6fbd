//! Convolution of maps with few tiles and many channels. Threads take blocks of output channels and
//! transform weights a few input channels at a time, so that weights are read from memory once and
//! transformed weights never leave the cache.

use rayon::prelude::*;

use super::convolution::Convolution;
use super::filter_transform;
use super::input_transform::InputTransform;
use super::matrices::POINTS;
use super::output_transform::OutputTransform;
use super::tiles::Tiles;
use crate::block::{Block, LANES, MapMut};
use crate::engine::Engine;
use crate::gemm::Gemm;
use crate::reduction::PartialSums;
use crate::simd::{Simd, Task};
use crate::source::Source;
use crate::tiling::{OutputRows, channel_tiles};

/// Tiles that go through all channels at once.
const TILES: usize = 128;
/// Blocks of input channels whose weights are transformed at once.
const READS: usize = 4;

/// Convolves. The partial sums come back in a fixed order: for every pass over tiles, one per
/// channel block.
pub(crate) fn convolve(
    engine: &Engine,
    convolution: &Convolution<'_>,
    outputs: &mut [MapMut<'_>],
    mut pooled: Option<&mut MapMut<'_>>,
) -> Vec<PartialSums> {
    let shape = outputs[0].shape();
    let tiles = Tiles::new(shape);
    let total = tiles.per_image * shape.batch;
    let reads = convolution.filter.reads().blocks();
    let planes: Vec<(Source<'_>, usize)> = convolution
        .sources
        .iter()
        .flat_map(|source| (0..source.map.shape().channel_blocks()).map(|block| (*source, block)))
        .collect();
    let mut sums = Vec::new();
    for first in (0..total).step_by(TILES) {
        let count = TILES.min(total - first);
        let stride = count | 1;
        let mut points = engine.arena.take(reads * POINTS * stride);
        points.par_chunks_mut(POINTS * stride).zip(&planes).for_each(|(points, plane)| {
            engine.set.run(InputTransformTask {
                tiles,
                first,
                count,
                stride,
                plane: *plane,
                points,
            });
        });
        let columns = channel_tiles(outputs, pooled.as_deref_mut());
        let mut sums_of_pass = vec![PartialSums::ZERO; columns.len()];
        columns.into_par_iter().zip(&mut sums_of_pass).enumerate().for_each(|(write, column)| {
            let (rows, sums) = column;
            let mut filters = engine.arena.take((READS.min(reads) * LANES + 1) * POINTS);
            let mut products = engine.arena.take(POINTS * stride);
            engine.set.run(ChannelTileTask {
                convolution,
                tiles,
                first,
                count,
                stride,
                write,
                points: &points,
                filters: &mut filters,
                products: &mut products,
                rows,
                sums: convolution.sums.then_some(sums),
            });
        });
        sums.extend(sums_of_pass);
    }
    sums
}

struct InputTransformTask<'a> {
    tiles: Tiles,
    first: usize,
    count: usize,
    stride: usize,
    plane: (Source<'a>, usize),
    points: &'a mut [Block],
}

impl Task for InputTransformTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (source, channel_block) = self.plane;
        InputTransform {
            source,
            channel_block,
            tiles: self.tiles,
            first: self.first,
            count: self.count,
            point_stride: self.stride,
        }
        .run(simd, self.points);
    }
}

struct ChannelTileTask<'a> {
    convolution: &'a Convolution<'a>,
    tiles: Tiles,
    first: usize,
    count: usize,
    stride: usize,
    write: usize,
    points: &'a [Block],
    filters: &'a mut [Block],
    products: &'a mut [Block],
    rows: Vec<OutputRows<'a>>,
    sums: Option<&'a mut PartialSums>,
}

impl Task for ChannelTileTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let reads = self.convolution.filter.reads();
        let mut scratch = [[Block::ZERO; 9]; LANES];
        let chunk_rows = READS.min(reads.blocks()) * LANES + 1;
        for (chunk, lanes) in reads.lanes().chunks(READS).enumerate() {
            for (i, lanes) in lanes.iter().enumerate() {
                let block =
                    self.convolution.filter.block(self.write, chunk * READS + i, &mut scratch);
                let filters = &mut self.filters[i * LANES..];
                filter_transform::transform(simd, block, *lanes, filters, chunk_rows);
            }
            let ahead = ((chunk + 1) * READS, READS);
            for point in 0..POINTS {
                // Prefetch the weights of the next channels during this multiplication.
                self.convolution.filter.prefetch(simd, self.write, ahead, (point, POINTS));
                Gemm {
                    pixels: &self.points[(chunk * READS * POINTS + point) * self.stride..],
                    pixel_stride: POINTS * self.stride,
                    count: self.count,
                    lanes,
                    panels: &self.filters[point * chunk_rows..],
                    panel_stride: 0,
                    panel_count: 1,
                    out_stride: 0,
                    accumulate: chunk > 0,
                }
                .run(simd, &mut self.products[point * self.stride..]);
            }
        }
        OutputTransform {
            tiles: self.tiles,
            first: self.first,
            count: self.count,
            point_stride: self.stride,
            epilogue: self.convolution.epilogues[self.write],
        }
        .run(simd, self.products, &mut self.rows, 0, self.sums);
    }
}
