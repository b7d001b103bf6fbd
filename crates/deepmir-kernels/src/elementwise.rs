//! Elementwise passes over a map, split into chunks of one channel block each that run in parallel.

use rayon::prelude::*;

use crate::block::{Block, MapMut};
use crate::engine::Engine;
use crate::reduction::PartialSums;
use crate::simd::{Simd, Task};

/// Smallest size of a chunk in pixels. Pairs of rows are never split.
const PIXELS: usize = 4096;

/// Some rows of one channel block of one image.
pub(crate) struct Chunk<'a> {
    pub image: usize,
    pub block: usize,
    /// The first row.
    pub row: usize,
    pub blocks: &'a mut [Block],
}

/// What is done to every chunk. Implementations of `run` are `#[inline(always)]`.
pub(crate) trait Pass: Sync {
    fn run<S: Simd>(&self, simd: S, chunk: Chunk<'_>, sums: &mut PartialSums);
}

/// Runs a pass over a map. The partial sums come back in a fixed order: for every part of every
/// image, one per channel block.
pub(crate) fn run<P: Pass>(engine: &Engine, pass: &P, map: &mut MapMut<'_>) -> Vec<PartialSums> {
    let shape = map.shape();
    if shape.blocks() == 0 {
        return Vec::new();
    }
    let rows = (PIXELS.div_ceil(shape.width)).next_multiple_of(2).min(shape.height);
    let (parts, blocks) = (shape.height.div_ceil(rows), shape.channel_blocks());
    let mut chunks: Vec<_> = (0..shape.batch * parts * blocks).map(|_| None).collect();
    for (index, plane) in map.blocks().chunks_mut(shape.pixels()).enumerate() {
        let (image, block) = (index / blocks, index % blocks);
        for (part, rows_of_part) in plane.chunks_mut(rows * shape.width).enumerate() {
            chunks[(image * parts + part) * blocks + block] =
                Some(Chunk { image, block, row: part * rows, blocks: rows_of_part });
        }
    }
    let mut sums = vec![PartialSums::ZERO; chunks.len()];
    chunks.into_par_iter().zip(&mut sums).for_each(|(chunk, sums)| {
        if let Some(chunk) = chunk {
            engine.set.run(ChunkTask { pass, chunk, sums });
        }
    });
    sums
}

struct ChunkTask<'a, P> {
    pass: &'a P,
    chunk: Chunk<'a>,
    sums: &'a mut PartialSums,
}

impl<P: Pass> Task for ChunkTask<'_, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        self.pass.run(simd, self.chunk, self.sums);
    }
}
