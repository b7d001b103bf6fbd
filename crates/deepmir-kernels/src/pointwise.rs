//! Pointwise convolutions, one matrix product over pixels: 1×1, and 2×2 with stride 2 in both
//! directions.

use rayon::prelude::*;

use crate::block::{Block, LANES, Map, MapMut};
use crate::engine::Engine;
use crate::gemm::{Gemm, ItemRange};
use crate::prologue::{PrologueOp, WithPrologue};
use crate::reduction::PartialSums;
use crate::simd::{Simd, Task};
use crate::source::Source;
use crate::tiling::{OutputRows, row_tiles};

/// Pixels of a tile, which goes through all channels at once.
const PIXELS: usize = 48;

/// Where the input channels of a pixel come from.
#[derive(Clone, Copy)]
pub(crate) enum PointwiseInput<'a> {
    /// From the same pixel of some maps, concatenated.
    Pixels(&'a [Source<'a>]),
    /// From the 2×2 pixels at its place in a map of twice the size (space to depth): row by row,
    /// all channels of one pixel before those of the next.
    SpaceToDepth(Map<'a>),
}

/// A matrix product over pixels: `[pixel][channels read] × [channels read][channels written]`.
pub(crate) struct Pointwise<'a> {
    pub input: PointwiseInput<'a>,
    /// Channels in use of each block read.
    pub lanes: &'a [usize],
    /// `[out block][tap][channel read][16]`; with four taps the output is twice the size.
    pub panels: &'a [Block],
    pub taps: usize,
    /// One per block of output channels.
    pub bias: Option<&'a [Block]>,
    pub relu: bool,
}

impl Pointwise<'_> {
    /// Computes all pixels. The partial sums, for the moments of the outputs, come back in a fixed
    /// order: for every tile of rows, one per channel block.
    pub fn run(&self, engine: &Engine, output: MapMut<'_>) -> Vec<PartialSums> {
        let scale = if self.taps == 4 { 2 } else { 1 };
        let width = output.shape().width / scale;
        let rows = (2 * PIXELS).div_ceil(width).next_multiple_of(2);
        let mut outputs = [output];
        let tasks: Vec<_> = row_tiles(&mut outputs, None, rows)
            .into_iter()
            .flat_map(|row_tile| {
                let image = row_tile.image;
                row_tile.rows.into_iter().enumerate().map(move |(block, rows)| (image, block, rows))
            })
            .collect();
        let mut sums = vec![PartialSums::ZERO; tasks.len()];
        tasks.into_par_iter().zip(&mut sums).for_each(|((image, block, rows), sums)| {
            let mut packed = engine.arena.take(self.lanes.len() * PIXELS);
            let mut products = engine.arena.take(self.taps * PIXELS);
            engine.set.run(RowTileTask {
                job: self,
                image,
                block,
                width,
                rows,
                packed: &mut packed,
                products: &mut products,
                sums,
            });
        });
        sums
    }

    /// Copies `items` pixels of one image to `packed`, `[channel block][pixel]`.
    #[inline(always)]
    pub fn pack<S: Simd>(&self, simd: S, image: usize, items: ItemRange, packed: &mut [Block]) {
        match self.input {
            PointwiseInput::Pixels(sources) => {
                let mut packed = packed.chunks_mut(items.stride);
                for source in sources {
                    for block in 0..source.map.shape().channel_blocks() {
                        let Some(line) = packed.next() else { return };
                        let plane = &source.map.plane(image, block)[items.first..][..items.count];
                        source.prologue.with(block, CopyLine { simd, plane, line });
                    }
                }
            }
            PointwiseInput::SpaceToDepth(map) => {
                let blocks = map.shape().channel_blocks();
                for (i, line) in packed.chunks_mut(items.stride).enumerate() {
                    let plane = map.plane(image, i % blocks);
                    strided_tap(plane, map.shape().width, i / blocks, items, line);
                }
            }
        }
    }
}

/// Copies one of the 2×2 pixels at the place of each pixel: a tap of a convolution with stride 2.
#[inline(always)]
pub(crate) fn strided_tap(
    plane: &[Block],
    width: usize,
    tap: usize,
    items: ItemRange,
    line: &mut [Block],
) {
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

/// Copies pixels of a batch, which may span images.
#[inline(always)]
pub(crate) fn pack_pixels<S: Simd>(
    simd: S,
    source: Source<'_>,
    block: usize,
    items: ItemRange,
    out: &mut [Block],
) {
    let pixels = source.map.shape().pixels();
    let mut done = 0;
    while done < items.count {
        let at = items.first + done;
        let (image, pixel) = (at / pixels, at % pixels);
        let count = (items.count - done).min(pixels - pixel);
        let plane = &source.map.plane(image, block)[pixel..][..count];
        source.prologue.with(block, CopyLine { simd, plane, line: &mut out[done..] });
        done += count;
    }
}

/// Copies pixels of one channel block, applying a prologue.
pub(crate) struct CopyLine<'a, S> {
    pub simd: S,
    pub plane: &'a [Block],
    pub line: &'a mut [Block],
}

impl<S: Simd> WithPrologue for CopyLine<'_, S> {
    #[inline(always)]
    fn run<E: PrologueOp>(self, prologue: E) {
        for (out, read) in self.line.iter_mut().zip(self.plane) {
            for part in 0..S::PARTS {
                let value = prologue.apply(self.simd, part, self.simd.load(read, part));
                self.simd.store(value, out, part);
            }
        }
    }
}

struct RowTileTask<'a> {
    job: &'a Pointwise<'a>,
    image: usize,
    block: usize,
    /// Columns of the map read.
    width: usize,
    rows: OutputRows<'a>,
    packed: &'a mut [Block],
    products: &'a mut [Block],
    sums: &'a mut PartialSums,
}

impl Task for RowTileTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let start = self.rows.first_row * self.width / if self.job.taps == 4 { 2 } else { 1 };
        let end = start + self.rows.rows.len() / self.job.taps;
        let panel_rows = self.job.lanes.len() * LANES;
        let panel_size = self.job.taps * panel_rows;
        let panels = &self.job.panels[self.block * panel_size..][..panel_size];
        for first in (start..end).step_by(PIXELS) {
            let items = ItemRange { first, count: PIXELS.min(end - first), stride: PIXELS };
            self.job.pack(simd, self.image, items, self.packed);
            Gemm {
                pixels: self.packed,
                pixel_stride: PIXELS,
                count: items.count,
                lanes: self.job.lanes,
                panels,
                panel_stride: panel_rows,
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

impl RowTileTask<'_> {
    /// Writes one tap of some pixels.
    #[inline(always)]
    fn write<S: Simd>(&mut self, simd: S, start: usize, items: ItemRange, tap: usize) {
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
