//! What makes three dimensions of two: slices beside one another, and maxima of pairs of them.

use rayon::prelude::*;

use crate::block::{Block, FeatureMap, Map, Shape};
use crate::engine::Engine;

/// Which slice of a block is seen beside each: the one before it, or the one after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    Before,
    After,
}

impl Beside {
    const fn of(self, slice: usize, slices: usize) -> Option<usize> {
        match self {
            Self::Before => slice.checked_sub(1),
            Self::After if slice + 1 < slices => Some(slice + 1),
            Self::After => None,
        }
    }
}

fn image(shape: Shape) -> usize {
    shape.channel_blocks() * shape.pixels()
}

/// For each slice the one beside it; zeros where there is none.
pub(super) fn beside(engine: &Engine, map: Map<'_>, slices: usize, which: Beside) -> FeatureMap {
    let size = image(map.shape());
    let mut result = engine.arena.map(map.shape());
    let (from, images) = (map.blocks(), result.par_chunks_mut(size).enumerate());
    images.for_each(|(n, to)| match which.of(n % slices, slices) {
        Some(slice) => to.copy_from_slice(&from[(n - n % slices + slice) * size..][..size]),
        None => to.fill(Block::ZERO),
    });
    result
}

/// The backward pass of [`beside`]: adds to each slice's gradient what it got as another's neighbour.
pub(super) fn add_beside(
    gradient: &mut FeatureMap,
    of_beside: Map<'_>,
    slices: usize,
    which: Beside,
) {
    let size = image(gradient.shape());
    let from = of_beside.blocks();
    let other = match which {
        Beside::Before => Beside::After,
        Beside::After => Beside::Before,
    };
    gradient.par_chunks_mut(size).enumerate().for_each(|(n, to)| {
        let Some(slice) = other.of(n % slices, slices) else { return };
        let from = &from[(n - n % slices + slice) * size..][..size];
        for (to, from) in to.iter_mut().zip(from) {
            to.0.iter_mut().zip(from.0).for_each(|(to, from)| *to += from);
        }
    });
}

/// The maxima of pairs of slices.
pub(super) fn pair_maxima(engine: &Engine, map: Map<'_>) -> FeatureMap {
    let shape = map.shape();
    let size = image(shape);
    let mut result = engine.arena.map(Shape { batch: shape.batch / 2, ..shape });
    let pairs = result.par_chunks_mut(size).zip(map.blocks().par_chunks(2 * size));
    pairs.for_each(|(to, from)| {
        let (first, second) = from.split_at(size);
        for (to, (a, b)) in to.iter_mut().zip(first.iter().zip(second)) {
            *to = Block(std::array::from_fn(|lane| a.0[lane].max(b.0[lane])));
        }
    });
    result
}

/// The gradient of what [`pair_maxima`] read: to the first of the two where they are equal.
pub(super) fn pair_maxima_gradient(engine: &Engine, map: Map<'_>, gradient: Map<'_>) -> FeatureMap {
    let size = image(map.shape());
    let mut result = engine.arena.map(map.shape());
    let pairs = result.par_chunks_mut(2 * size).zip(map.blocks().par_chunks(2 * size));
    pairs.zip(gradient.blocks().par_chunks(size)).for_each(|((to, from), gradient)| {
        let (to_first, to_second) = to.split_at_mut(size);
        let (first, second) = from.split_at(size);
        for n in 0..size {
            for lane in 0..gradient[n].0.len() {
                let value = gradient[n].0[lane];
                let is_first = first[n].0[lane] >= second[n].0[lane];
                to_first[n].0[lane] = if is_first { value } else { 0.0 };
                to_second[n].0[lane] = if is_first { 0.0 } else { value };
            }
        }
    });
    result
}
