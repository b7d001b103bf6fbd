//! 2×2 max pooling with stride 2, forward and backward.

use crate::block::{Map, MapMut};
use crate::elementwise::{self, Chunk, Pass};
use crate::engine::Engine;
use crate::norm::{Moments, add_pooled};
use crate::prologue::{PrologueOp, WithPrologue};
use crate::reduction::PartialSums;
use crate::simd::Simd;
use crate::source::Source;

/// The 2×2 maxima of a map; a last odd row or column is left out. Also returns mean and variance
/// of the values in all windows (of all values, where height and width are even).
///
/// # Panics
/// If `output` is not half as high and wide (rounded down) with the same batch and channels.
pub fn max_pool(engine: &Engine, source: Source<'_>, mut output: MapMut<'_>) -> Moments {
    let (from, to) = (source.map.shape(), output.shape());
    assert_eq!((from.height / 2, from.width / 2), (to.height, to.width), "size of 2×2 maxima");
    assert_eq!((from.batch, from.channels), (to.batch, to.channels), "channels of 2×2 maxima");
    let sums = elementwise::run(engine, &Maxima { source }, &mut output);
    Moments::merge(&sums, to.channel_blocks(), 0, to.channels)
}

/// Adds to `gradient` (that of the map) that of its 2×2 maxima: each to the first of the four
/// values that equals the maximum.
pub fn max_pool_gradient(
    engine: &Engine,
    source: Source<'_>,
    pooled: Map<'_>,
    mut gradient: MapMut<'_>,
) {
    add_pooled(engine, source, pooled, &mut gradient);
}

struct Maxima<'a> {
    source: Source<'a>,
}

impl Pass for Maxima<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, chunk: Chunk<'_>, sums: &mut PartialSums) {
        self.source.prologue.with(chunk.block, Body { simd, source: self.source, chunk, sums });
    }
}

struct Body<'a, S> {
    simd: S,
    source: Source<'a>,
    chunk: Chunk<'a>,
    sums: &'a mut PartialSums,
}

impl<S: Simd> WithPrologue for Body<'_, S> {
    #[inline(always)]
    fn run<E: PrologueOp>(self, prologue: E) {
        let Self { simd, source, chunk, sums } = self;
        let width = source.map.shape().width;
        let read = &source.map.plane(chunk.image, chunk.block)[2 * chunk.row * width..];
        sums.count = 4 * chunk.blocks.len();
        for part in 0..S::PARTS {
            let first = prologue.apply(simd, part, simd.load(&read[0], part));
            simd.store(first, &mut sums.pivot, part);
        }
        for (out, read) in chunk.blocks.chunks_mut(width / 2).zip(read.chunks(2 * width)) {
            let (top, bottom) = read.split_at(width);
            for part in 0..S::PARTS {
                let load = |block| prologue.apply(simd, part, simd.load(block, part));
                let pivot = simd.load(&sums.pivot, part);
                let mut sum = simd.load(&sums.sum, part);
                let mut product = simd.load(&sums.product, part);
                for (i, out) in out.iter_mut().enumerate() {
                    let values = [
                        load(&top[2 * i]),
                        load(&top[2 * i + 1]),
                        load(&bottom[2 * i]),
                        load(&bottom[2 * i + 1]),
                    ];
                    for value in values {
                        let value = simd.sub(value, pivot);
                        sum = simd.add(sum, value);
                        product = simd.mul_add(value, value, product);
                    }
                    let max =
                        simd.max(simd.max(values[0], values[1]), simd.max(values[2], values[3]));
                    simd.store(max, out, part);
                }
                simd.store(sum, &mut sums.sum, part);
                simd.store(product, &mut sums.product, part);
            }
        }
    }
}
