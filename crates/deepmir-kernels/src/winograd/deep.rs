//! Convolution of maps with few tiles and many channels: threads take blocks of output channels,
//! and turn weights into points a few channels at a time, so that weights are read from memory
//! once and their points never leave the cache.

use rayon::prelude::*;

use super::filter;
use super::gather::Gather;
use super::matrices::POINTS;
use super::scatter::Scatter;
use super::tiles::Tiles;
use super::wide::Convolution;
use crate::bands::{Rows, columns};
use crate::block::{Block, LANES, MapMut};
use crate::engine::Engine;
use crate::norm::Sums;
use crate::product::Product;
use crate::simd::{Simd, Task};
use crate::source::Source;

/// Tiles taken through all channels at a time.
const TILES: usize = 128;
/// Blocks of input channels whose weights are turned into points at a time.
const READS: usize = 4;

/// Convolves. The sums come back in a fixed order: for every pass over tiles, one a channel block.
pub(crate) fn convolve(
    engine: &Engine,
    convolution: &Convolution<'_>,
    outputs: &mut [MapMut<'_>],
    mut pooled: Option<&mut MapMut<'_>>,
) -> Vec<Sums> {
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
            engine.set.run(GatherTask { tiles, first, count, stride, plane: *plane, points });
        });
        let columns = columns(outputs, pooled.as_deref_mut());
        let mut sums_of_pass = vec![Sums::ZERO; columns.len()];
        columns.into_par_iter().zip(&mut sums_of_pass).enumerate().for_each(|(write, column)| {
            let (rows, sums) = column;
            let mut filters = engine.arena.take((READS.min(reads) * LANES + 1) * POINTS);
            let mut products = engine.arena.take(POINTS * stride);
            engine.set.run(ColumnTask {
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

struct GatherTask<'a> {
    tiles: Tiles,
    first: usize,
    count: usize,
    stride: usize,
    plane: (Source<'a>, usize),
    points: &'a mut [Block],
}

impl Task for GatherTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (source, channel_block) = self.plane;
        Gather {
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

struct ColumnTask<'a> {
    convolution: &'a Convolution<'a>,
    tiles: Tiles,
    first: usize,
    count: usize,
    stride: usize,
    write: usize,
    points: &'a [Block],
    filters: &'a mut [Block],
    products: &'a mut [Block],
    rows: Vec<Rows<'a>>,
    sums: Option<&'a mut Sums>,
}

impl Task for ColumnTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let reads = self.convolution.filter.reads();
        let mut room = [[Block::ZERO; 9]; LANES];
        let chunk_rows = READS.min(reads.blocks()) * LANES + 1;
        for (chunk, lanes) in reads.lanes().chunks(READS).enumerate() {
            for (i, lanes) in lanes.iter().enumerate() {
                let block = self.convolution.filter.block(self.write, chunk * READS + i, &mut room);
                let filters = &mut self.filters[i * LANES..];
                filter::transform(simd, block, *lanes, filters, chunk_rows);
            }
            let ahead = ((chunk + 1) * READS, READS);
            for point in 0..POINTS {
                // The weights of the next channels come from memory while these are multiplied.
                self.convolution.filter.prefetch(simd, self.write, ahead, (point, POINTS));
                Product {
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
        Scatter {
            tiles: self.tiles,
            first: self.first,
            count: self.count,
            point_stride: self.stride,
            finish: self.convolution.finishes[self.write],
        }
        .run(simd, self.products, &mut self.rows, 0, self.sums);
    }
}
