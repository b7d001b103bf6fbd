//! Conversion between NCHW and blocks of sixteen channels.

use rayon::prelude::*;

use crate::block::{Block, LANES, Map, MapMut};
use crate::elementwise::{self, Chunk, Pass};
use crate::engine::Engine;
use crate::pointwise::CopyLine;
use crate::reduction::PartialSums;
use crate::simd::Simd;
use crate::source::Source;

/// Copies an NCHW tensor into a map.
///
/// # Panics
/// If there are not as many values as the map has.
pub fn from_nchw(values: &[f32], mut output: MapMut<'_>) {
    let shape = output.shape();
    assert_eq!(values.len(), shape.values(), "values of an NCHW tensor of {shape:?}");
    let (pixels, blocks) = (shape.pixels(), shape.channel_blocks());
    if pixels == 0 {
        return;
    }
    output.blocks().par_chunks_mut(pixels).enumerate().for_each(|(index, plane)| {
        let (image, first) = (index / blocks, index % blocks * LANES);
        let lanes = LANES.min(shape.channels - first);
        let read = &values[(image * shape.channels + first) * pixels..][..lanes * pixels];
        for (start, chunk) in plane.chunks_mut(LANES).enumerate().map(|(i, c)| (i * LANES, c)) {
            chunk.fill(Block::ZERO);
            for (lane, read) in read.chunks(pixels).enumerate() {
                for (block, value) in chunk.iter_mut().zip(&read[start..]) {
                    block.0[lane] = *value;
                }
            }
        }
    });
}

/// Copies a map into an NCHW tensor.
///
/// # Panics
/// If there are not as many values as the map has.
pub fn to_nchw(map: Map<'_>, values: &mut [f32]) {
    let shape = map.shape();
    assert_eq!(values.len(), shape.values(), "values of an NCHW tensor of {shape:?}");
    let pixels = shape.pixels();
    if pixels == 0 {
        return;
    }
    values.par_chunks_mut(pixels * shape.channels).enumerate().for_each(|(image, values)| {
        values.par_chunks_mut(pixels * LANES).enumerate().for_each(|(block, values)| {
            let plane = map.plane(image, block);
            for (start, chunk) in plane.chunks(LANES).enumerate().map(|(i, c)| (i * LANES, c)) {
                for (lane, write) in values.chunks_mut(pixels).enumerate() {
                    for (value, block) in write[start..].iter_mut().zip(chunk) {
                        *value = block.0[lane];
                    }
                }
            }
        });
    });
}

/// Copies a source, after its prologue, into a map.
///
/// # Panics
/// If their shapes differ.
pub fn copy(engine: &Engine, source: Source<'_>, mut output: MapMut<'_>) {
    assert_eq!(source.map.shape(), output.shape(), "shapes of a copy");
    elementwise::run(engine, &Copy { source }, &mut output);
}

struct Copy<'a> {
    source: Source<'a>,
}

impl Pass for Copy<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, chunk: Chunk<'_>, _sums: &mut PartialSums) {
        let map = self.source.map;
        let plane = &map.plane(chunk.image, chunk.block)[chunk.row * map.shape().width..];
        self.source.prologue.with(chunk.block, CopyLine { simd, plane, line: chunk.blocks });
    }
}

/// The sum of each channel over a batch: the gradient of a bias.
#[must_use]
pub fn channel_sums(map: Map<'_>) -> Vec<f32> {
    let shape = map.shape();
    let blocks = shape.channel_blocks();
    let of_block: Vec<[f64; LANES]> = (0..blocks)
        .into_par_iter()
        .map(|block| {
            let mut total = [0.0; LANES];
            for image in 0..shape.batch {
                for part in map.plane(image, block).chunks(64) {
                    let mut sum = Block::ZERO;
                    for value in part {
                        for (sum, value) in sum.0.iter_mut().zip(value.0) {
                            *sum += value;
                        }
                    }
                    for (total, sum) in total.iter_mut().zip(sum.0) {
                        *total += f64::from(sum);
                    }
                }
            }
            total
        })
        .collect();
    (0..shape.channels).map(|c| of_block[c / LANES][c % LANES] as f32).collect()
}
