//! Passes over all values of a map: cut into pieces of one channel block each, in parallel.

use rayon::prelude::*;

use crate::block::{Block, MapMut};
use crate::engine::Engine;
use crate::norm::Sums;
use crate::simd::{Simd, Task};

/// Pixels of a piece, at least; whole rows (pairs of rows) are never cut.
const PIXELS: usize = 4096;

/// Some rows of one channel block of one image.
pub(crate) struct Piece<'a> {
    pub image: usize,
    pub block: usize,
    /// The first row.
    pub row: usize,
    pub blocks: &'a mut [Block],
}

/// What is done to every piece. Implementations of `run` are `#[inline(always)]`.
pub(crate) trait Pass: Sync {
    fn run<S: Simd>(&self, simd: S, piece: Piece<'_>, sums: &mut Sums);
}

/// Runs a pass over a map. The sums come back in a fixed order: for every part of every image,
/// one a channel block.
pub(crate) fn pass<P: Pass>(engine: &Engine, pass: &P, map: &mut MapMut<'_>) -> Vec<Sums> {
    let shape = map.shape();
    if shape.blocks() == 0 {
        return Vec::new();
    }
    let rows = (PIXELS.div_ceil(shape.width)).next_multiple_of(2).min(shape.height);
    let (parts, blocks) = (shape.height.div_ceil(rows), shape.channel_blocks());
    let mut pieces: Vec<_> = (0..shape.batch * parts * blocks).map(|_| None).collect();
    for (index, plane) in map.blocks().chunks_mut(shape.pixels()).enumerate() {
        let (image, block) = (index / blocks, index % blocks);
        for (part, piece) in plane.chunks_mut(rows * shape.width).enumerate() {
            pieces[(image * parts + part) * blocks + block] =
                Some(Piece { image, block, row: part * rows, blocks: piece });
        }
    }
    let mut sums = vec![Sums::ZERO; pieces.len()];
    pieces.into_par_iter().zip(&mut sums).for_each(|(piece, sums)| {
        if let Some(piece) = piece {
            engine.set.run(Run { pass, piece, sums });
        }
    });
    sums
}

struct Run<'a, P> {
    pass: &'a P,
    piece: Piece<'a>,
    sums: &'a mut Sums,
}

impl<P: Pass> Task for Run<'_, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        self.pass.run(simd, self.piece, self.sums);
    }
}
