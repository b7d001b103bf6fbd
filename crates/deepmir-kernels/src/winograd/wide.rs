//! Convolution of maps with many tiles: threads take bands of rows, and carry a few tiles at a
//! time through all channels while they are in the second-level cache.

use rayon::prelude::*;

use super::filter;
use super::finish::Finish;
use super::gather::Gather;
use super::matrices::{OUT, POINTS};
use super::scatter::Scatter;
use super::tiles::Tiles;
use crate::bands::{Band, bands};
use crate::block::{Block, LANES, MapMut};
use crate::conv3x3::Filter;
use crate::engine::Engine;
use crate::norm::Sums;
use crate::product::Product;
use crate::simd::{Simd, Task};
use crate::source::Source;

/// What the tiles at hand may take up in cache, in blocks of 64 bytes.
const CACHE_BLOCKS: usize = 5 * 1024;

pub(crate) struct Convolution<'a> {
    pub sources: &'a [Source<'a>],
    pub filter: Filter<'a>,
    /// One a block of output channels.
    pub finishes: &'a [Finish<'a>],
    /// Whether sums of the outputs are wanted.
    pub sums: bool,
}

/// Convolves. The sums come back in a fixed order: for every band of rows, one a channel block.
pub(crate) fn convolve(
    engine: &Engine,
    convolution: &Convolution<'_>,
    outputs: &mut [MapMut<'_>],
    pooled: Option<&mut MapMut<'_>>,
) -> Vec<Sums> {
    let shape = outputs[0].shape();
    let tiles = Tiles::new(shape);
    let (reads, writes) = (convolution.filter.reads(), convolution.filter.writes());
    let rows_of_channels = reads.blocks() * LANES + 1;
    let mut filters = engine.arena.take(writes.blocks() * POINTS * rows_of_channels);
    filters.par_chunks_mut(POINTS * rows_of_channels).enumerate().for_each(|(write, points)| {
        engine.set.run(FilterTask { filter: convolution.filter, write, points });
    });

    let step =
        (CACHE_BLOCKS / (POINTS * (reads.blocks() + writes.blocks()))).clamp(12, 48) / 12 * 12;
    let band_tiles = step.div_ceil(tiles.per_row) * OUT;
    let bands = bands(outputs, pooled, band_tiles);
    let mut sums =
        vec![Sums::ZERO; if convolution.sums { bands.len() * writes.blocks() } else { 0 }];
    let mut sums_of_bands: Vec<_> = sums.chunks_mut(writes.blocks()).collect();
    sums_of_bands.resize_with(bands.len(), Default::default);
    bands.into_par_iter().zip(sums_of_bands).for_each(|(band, sums)| {
        let stride = step | 1;
        let mut points = engine.arena.take(reads.blocks() * POINTS * stride);
        let mut products = engine.arena.take(writes.blocks() * POINTS * stride);
        engine.set.run(BandTask {
            convolution,
            tiles,
            step,
            stride,
            filters: &filters,
            points: &mut points,
            products: &mut products,
            band,
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
        let mut room = [[Block::ZERO; 9]; LANES];
        for read in 0..reads.blocks() {
            let block = self.filter.block(self.write, read, &mut room);
            let points = &mut self.points[read * LANES..];
            filter::transform(simd, block, reads.lanes()[read], points, reads.blocks() * LANES + 1);
        }
    }
}

struct BandTask<'a> {
    convolution: &'a Convolution<'a>,
    tiles: Tiles,
    step: usize,
    stride: usize,
    filters: &'a [Block],
    points: &'a mut [Block],
    products: &'a mut [Block],
    band: Band<'a>,
    /// One a block of output channels, or none.
    sums: &'a mut [Sums],
}

impl Task for BandTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let Tiles { per_row, per_image, .. } = self.tiles;
        let start = self.band.image * per_image;
        let mut first = start + self.band.first_row / OUT * per_row;
        let last =
            first + (self.band.rows[0].rows.len() / self.tiles.width).div_ceil(OUT) * per_row;
        while first < last {
            let count = self.step.min(last - first);
            self.tiles(simd, first, count);
            first += count;
        }
    }
}

impl BandTask<'_> {
    #[inline(always)]
    fn tiles<S: Simd>(&mut self, simd: S, first: usize, count: usize) {
        let (stride, tiles) = (self.stride, self.tiles);
        let reads = self.convolution.filter.reads();
        let mut block = 0;
        for source in self.convolution.sources {
            for channel_block in 0..source.map.shape().channel_blocks() {
                let points = &mut self.points[block * POINTS * stride..][..POINTS * stride];
                Gather {
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
            Product {
                pixels: &self.points[point * stride..],
                pixel_stride: POINTS * stride,
                count,
                lanes: reads.lanes(),
                panels: &self.filters[point * (reads.blocks() * LANES + 1)..],
                panel_stride: POINTS * (reads.blocks() * LANES + 1),
                panel_count: self.band.rows.len(),
                out_stride: POINTS * stride,
                accumulate: false,
            }
            .run(simd, &mut self.products[point * stride..]);
        }
        for (write, rows) in self.band.rows.iter_mut().enumerate() {
            Scatter {
                tiles,
                first,
                count,
                point_stride: stride,
                finish: self.convolution.finishes[write],
            }
            .run(
                simd,
                &self.products[write * POINTS * stride..][..POINTS * stride],
                std::slice::from_mut(rows),
                self.band.image,
                self.sums.get_mut(write),
            );
        }
    }
}
