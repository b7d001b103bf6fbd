//! Convolutions that are a plain matrix product of pixels: 1×1, and 2×2 with stride 2 both ways.

use rayon::prelude::*;

use crate::bands::{Rows, bands};
use crate::block::{Block, LANES, Map, MapMut};
use crate::engine::Engine;
use crate::norm::Sums;
use crate::product::{Items, Product};
use crate::simd::{Simd, Task};
use crate::source::{Enter, Source, WithEntry};

/// Pixels taken through all channels at a time.
const PIXELS: usize = 48;

/// Where the values of a pixel come from.
#[derive(Clone, Copy)]
pub(crate) enum Read<'a> {
    /// From the same pixel of some maps.
    Pixels(&'a [Source<'a>]),
    /// From the four pixels below it in a map of twice the size: row by row, all channels of one
    /// before those of the next.
    Quarters(Map<'a>),
}

/// A matrix product a pixel.
pub(crate) struct Pixelwise<'a> {
    pub read: Read<'a>,
    /// Channels in use of each block read.
    pub lanes: &'a [usize],
    /// `[out block][tap][channel read][16]`; with four taps the output is twice the size.
    pub panels: &'a [Block],
    pub taps: usize,
    /// One a block of output channels.
    pub bias: Option<&'a [Block]>,
    pub relu: bool,
}

impl Pixelwise<'_> {
    /// Computes all pixels. The sums, for the moments of the outputs, come back in a fixed order:
    /// for every band of rows, one a channel block.
    pub fn run(&self, engine: &Engine, output: MapMut<'_>) -> Vec<Sums> {
        let scale = if self.taps == 4 { 2 } else { 1 };
        let width = output.shape().width / scale;
        let rows = (2 * PIXELS).div_ceil(width).next_multiple_of(2);
        let mut outputs = [output];
        let tasks: Vec<_> = bands(&mut outputs, None, rows)
            .into_iter()
            .flat_map(|band| {
                let image = band.image;
                band.rows.into_iter().enumerate().map(move |(block, rows)| (image, block, rows))
            })
            .collect();
        let mut sums = vec![Sums::ZERO; tasks.len()];
        tasks.into_par_iter().zip(&mut sums).for_each(|((image, block, rows), sums)| {
            let mut lines = engine.arena.take(self.lanes.len() * PIXELS);
            let mut products = engine.arena.take(self.taps * PIXELS);
            engine.set.run(BandTask {
                job: self,
                image,
                block,
                width,
                rows,
                lines: &mut lines,
                products: &mut products,
                sums,
            });
        });
        sums
    }

    /// Copies `items` pixels of one image to `lines`, `[channel block][pixel]`.
    #[inline(always)]
    pub fn gather<S: Simd>(&self, simd: S, image: usize, items: Items, lines: &mut [Block]) {
        match self.read {
            Read::Pixels(sources) => {
                let mut lines = lines.chunks_mut(items.stride);
                for source in sources {
                    for block in 0..source.map.shape().channel_blocks() {
                        let Some(line) = lines.next() else { return };
                        let plane = &source.map.plane(image, block)[items.first..][..items.count];
                        source.entry.with(block, CopyLine { simd, plane, line });
                    }
                }
            }
            Read::Quarters(map) => {
                let blocks = map.shape().channel_blocks();
                for (i, line) in lines.chunks_mut(items.stride).enumerate() {
                    let plane = map.plane(image, i % blocks);
                    quarter(plane, map.shape().width, i / blocks, items, line);
                }
            }
        }
    }
}

/// Copies one of the four pixels below each pixel.
#[inline(always)]
pub(crate) fn quarter(plane: &[Block], width: usize, tap: usize, items: Items, line: &mut [Block]) {
    let half = width / 2;
    let (mut y, mut x) = (items.first / half, items.first % half);
    for out in &mut line[..items.count] {
        *out = plane[(2 * y + tap / 2) * width + 2 * x + tap % 2];
        x += 1;
        if x == half {
            (y, x) = (y + 1, 0);
        }
    }
}

/// Copies pixels of one channel block, passing them through a source's entry.
pub(crate) struct CopyLine<'a, S> {
    pub simd: S,
    pub plane: &'a [Block],
    pub line: &'a mut [Block],
}

impl<S: Simd> WithEntry for CopyLine<'_, S> {
    #[inline(always)]
    fn run<E: Enter>(self, entry: E) {
        for (out, read) in self.line.iter_mut().zip(self.plane) {
            for part in 0..S::PARTS {
                let value = entry.enter(self.simd, part, self.simd.load(read, part));
                self.simd.store(value, out, part);
            }
        }
    }
}

struct BandTask<'a> {
    job: &'a Pixelwise<'a>,
    image: usize,
    block: usize,
    /// Columns of the map read.
    width: usize,
    rows: Rows<'a>,
    lines: &'a mut [Block],
    products: &'a mut [Block],
    sums: &'a mut Sums,
}

impl Task for BandTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let start = self.rows.first_row * self.width / if self.job.taps == 4 { 2 } else { 1 };
        let end = start + self.rows.rows.len() / self.job.taps;
        let rows_of_channels = self.job.lanes.len() * LANES;
        let panel_size = self.job.taps * rows_of_channels;
        let panels = &self.job.panels[self.block * panel_size..][..panel_size];
        for first in (start..end).step_by(PIXELS) {
            let items = Items { first, count: PIXELS.min(end - first), stride: PIXELS };
            self.job.gather(simd, self.image, items, self.lines);
            Product {
                pixels: self.lines,
                pixel_stride: PIXELS,
                count: items.count,
                lanes: self.job.lanes,
                panels,
                panel_stride: rows_of_channels,
                panel_count: self.job.taps,
                out_stride: PIXELS,
                accumulate: false,
            }
            .run(simd, self.products);
            for tap in 0..self.job.taps {
                self.write(simd, start, items, tap);
            }
        }
        self.sums.count = (end - start) * self.job.taps;
    }
}

impl BandTask<'_> {
    /// Writes one tap of some pixels.
    #[inline(always)]
    fn write<S: Simd>(&mut self, simd: S, start: usize, items: Items, tap: usize) {
        let products = &self.products[tap * PIXELS..][..items.count];
        let scale = if self.job.taps == 4 { 2 } else { 1 };
        let bias = self.job.bias.map_or(&Block::ZERO, |bias| &bias[self.block]);
        if items.first == start && tap == 0 {
            for part in 0..S::PARTS {
                let pivot = simd.add(simd.load(&products[0], part), simd.load(bias, part));
                simd.store(pivot, &mut self.sums.pivot, part);
            }
        }
        let (mut y, mut x) =
            ((items.first - start) / self.width, (items.first - start) % self.width);
        for product in products {
            let at = (scale * y + tap / 2) * scale * self.width + scale * x + tap % 2;
            let out = &mut self.rows.rows[at];
            for part in 0..S::PARTS {
                let mut value = simd.add(simd.load(product, part), simd.load(bias, part));
                if self.job.relu {
                    value = simd.max(simd.splat(0.0), value);
                }
                simd.store(value, out, part);
                let centred = simd.sub(value, simd.load(&self.sums.pivot, part));
                let sum = simd.add(simd.load(&self.sums.sum, part), centred);
                let product = simd.load(&self.sums.product, part);
                simd.store(sum, &mut self.sums.sum, part);
                simd.store(simd.mul_add(centred, centred, product), &mut self.sums.product, part);
            }
            x += 1;
            if x == self.width {
                (y, x) = (y + 1, 0);
            }
        }
    }
}
