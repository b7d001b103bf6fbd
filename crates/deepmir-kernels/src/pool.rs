//! 2×2 maxima with stride 2, backwards and forwards.

use crate::block::{Map, MapMut};
use crate::engine::Engine;
use crate::norm::{Moments, Sums, add_pooled};
use crate::pieces::{Pass, Piece, pass};
use crate::simd::Simd;
use crate::source::{Enter, Source, WithEntry};

/// The 2×2 maxima of a map; a last odd row or column is left out. Also returns mean and variance
/// of the values in all windows (of all values, where height and width are even).
///
/// # Panics
/// If `output` is not half as high and wide (rounded down) with the same batch and channels.
pub fn max_pool(engine: &Engine, source: Source<'_>, mut output: MapMut<'_>) -> Moments {
    let (from, to) = (source.map.shape(), output.shape());
    assert_eq!((from.height / 2, from.width / 2), (to.height, to.width), "size of 2×2 maxima");
    assert_eq!((from.batch, from.channels), (to.batch, to.channels), "channels of 2×2 maxima");
    let sums = pass(engine, &Maxima { source }, &mut output);
    Moments::merge(&sums, to.channel_blocks(), 0, to.channels)
}

/// Adds to `gradient` (that of the map) what the gradient of its 2×2 maxima sends back: each to
/// the first of the four values that equals it.
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
    fn run<S: Simd>(&self, simd: S, piece: Piece<'_>, sums: &mut Sums) {
        self.source.entry.with(piece.block, Body { simd, source: self.source, piece, sums });
    }
}

struct Body<'a, S> {
    simd: S,
    source: Source<'a>,
    piece: Piece<'a>,
    sums: &'a mut Sums,
}

impl<S: Simd> WithEntry for Body<'_, S> {
    #[inline(always)]
    fn run<E: Enter>(self, entry: E) {
        let Self { simd, source, piece, sums } = self;
        let width = source.map.shape().width;
        let read = &source.map.plane(piece.image, piece.block)[2 * piece.row * width..];
        sums.count = 4 * piece.blocks.len();
        for part in 0..S::PARTS {
            let first = entry.enter(simd, part, simd.load(&read[0], part));
            simd.store(first, &mut sums.pivot, part);
        }
        for (out, read) in piece.blocks.chunks_mut(width / 2).zip(read.chunks(2 * width)) {
            let (top, bottom) = read.split_at(width);
            for part in 0..S::PARTS {
                let load = |block| entry.enter(simd, part, simd.load(block, part));
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
