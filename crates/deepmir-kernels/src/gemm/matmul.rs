//! The matrix product inside every convolution: `[pixel][input channel] × [input channel][output
//! channel]`.
//!
//! Pixels are packed as blocks of sixteen input channels, so that one step of the inner loop is the
//! broadcast of a channel of a few neighbouring pixels against a vector of sixteen output
//! channels. The register tile is [`Simd::TILE_PIXELS`] × [`Simd::TILE_PANELS`] blocks. Each
//! output is one chain of fused multiply-adds in the order of the input channels whatever the
//! tile, so results do not depend on the tiling.

use crate::block::{Block, LANES};
use crate::simd::Simd;

/// `out[panel][pixel] (+)= Σ pixels[channel block][pixel] · panels[panel]`.
pub(crate) struct Gemm<'a> {
    /// `[channel block][pixel]`, `pixel_stride` blocks from one channel block to the next.
    pub pixels: &'a [Block],
    pub pixel_stride: usize,
    /// Pixels to compute.
    pub count: usize,
    /// Channels in use of each channel block.
    pub lanes: &'a [usize],
    /// `[panel][channel][16 output channels]`, `panel_stride` blocks from panel to panel; each
    /// panel has sixteen rows per channel block, used or not.
    pub panels: &'a [Block],
    pub panel_stride: usize,
    pub panel_count: usize,
    /// Blocks from one panel's output to the next.
    pub out_stride: usize,
    /// Whether `out` is added to, or set.
    pub accumulate: bool,
}

impl Gemm<'_> {
    /// Computes it.
    #[inline(always)]
    pub fn run<S: Simd>(&self, simd: S, out: &mut [Block]) {
        let mut panel = 0;
        while panel < self.panel_count {
            if S::TILE_PANELS == 2 && panel + 2 <= self.panel_count {
                self.panels::<S, 2>(simd, panel, out);
                panel += 2;
            } else {
                self.panels::<S, 1>(simd, panel, out);
                panel += 1;
            }
        }
    }

    /// All pixels of `P` panels.
    #[inline(always)]
    fn panels<S: Simd, const P: usize>(&self, simd: S, panel: usize, out: &mut [Block]) {
        let mut pixel = 0;
        while pixel < self.count {
            let left = (self.count - pixel).min(S::TILE_PIXELS);
            match left {
                1 => self.tile::<S, P, 1>(simd, panel, pixel, out),
                2 => self.tile::<S, P, 2>(simd, panel, pixel, out),
                3 if S::TILE_PIXELS > 2 => self.tile::<S, P, 3>(simd, panel, pixel, out),
                4 if S::TILE_PIXELS > 2 => self.tile::<S, P, 4>(simd, panel, pixel, out),
                5 if S::TILE_PIXELS > 2 => self.tile::<S, P, 5>(simd, panel, pixel, out),
                6 if S::TILE_PIXELS > 2 => self.tile::<S, P, 6>(simd, panel, pixel, out),
                7 if S::TILE_PIXELS > 6 => self.tile::<S, P, 7>(simd, panel, pixel, out),
                8 if S::TILE_PIXELS > 6 => self.tile::<S, P, 8>(simd, panel, pixel, out),
                9 if S::TILE_PIXELS > 6 => self.tile::<S, P, 9>(simd, panel, pixel, out),
                10 if S::TILE_PIXELS > 6 => self.tile::<S, P, 10>(simd, panel, pixel, out),
                11 if S::TILE_PIXELS > 6 => self.tile::<S, P, 11>(simd, panel, pixel, out),
                _ => self.tile::<S, P, 12>(simd, panel, pixel, out),
            }
            pixel += left;
        }
    }

    /// `N` pixels of `P` panels, held in registers over all channels.
    #[inline(always)]
    fn tile<S: Simd, const P: usize, const N: usize>(
        &self,
        simd: S,
        panel: usize,
        pixel: usize,
        out: &mut [Block],
    ) {
        let mut sums = [[simd.wide_zero(); N]; P];
        if self.accumulate {
            for (p, sums) in sums.iter_mut().enumerate() {
                let out = &out[(panel + p) * self.out_stride + pixel..][..N];
                for (sum, out) in sums.iter_mut().zip(out) {
                    *sum = simd.wide_load(out);
                }
            }
        }
        for (block, &lanes) in self.lanes.iter().enumerate() {
            let pixels = fixed::<N>(self.pixels, block * self.pixel_stride + pixel);
            let mut panels = [&[Block::ZERO; LANES]; P];
            for (p, rows) in panels.iter_mut().enumerate() {
                *rows = fixed(self.panels, (panel + p) * self.panel_stride + block * LANES);
            }
            if lanes == LANES {
                for lane in 0..LANES {
                    step(simd, pixels, panels, lane, &mut sums);
                }
            } else {
                for lane in 0..lanes.min(LANES) {
                    step(simd, pixels, panels, lane, &mut sums);
                }
            }
        }
        for (p, sums) in sums.into_iter().enumerate() {
            let out = &mut out[(panel + p) * self.out_stride + pixel..][..N];
            for (sum, out) in sums.into_iter().zip(out) {
                simd.wide_store(sum, out);
            }
        }
    }
}

/// One input channel: its value at each pixel times its weights to sixteen outputs.
#[inline(always)]
fn step<S: Simd, const P: usize, const N: usize>(
    simd: S,
    pixels: &[Block; N],
    panels: [&[Block; LANES]; P],
    lane: usize,
    sums: &mut [[S::Wide; N]; P],
) {
    let mut weights = [simd.wide_zero(); P];
    for p in 0..P {
        weights[p] = simd.wide_load(&panels[p][lane]);
    }
    for n in 0..N {
        let value = simd.splat(pixels[n].0[lane]);
        for p in 0..P {
            sums[p][n] = simd.wide_mul_add(value, weights[p], sums[p][n]);
        }
    }
}

/// `N` neighbouring blocks from `start` on; the one bounds check of the inner loops.
#[inline(always)]
fn fixed<const N: usize>(blocks: &[Block], start: usize) -> &[Block; N] {
    match blocks[start..].first_chunk() {
        Some(chunk) => chunk,
        None => out_of_bounds(blocks.len(), start + N),
    }
}

#[cold]
#[inline(never)]
fn out_of_bounds(len: usize, end: usize) -> ! {
    unreachable!("blocks up to {end} of {len}")
}
