//! 3D on top of 2D kernels: neighbour slices, and max pooling of pairs of slices.

use rayon::prelude::*;

use crate::arena::FeatureMap;
use crate::block::{Block, Map, Shape};
use crate::engine::Engine;

/// A neighbour of a slice within its patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Neighbour {
    Previous,
    Next,
}

impl Neighbour {
    const fn of(self, slice: usize, slices: usize) -> Option<usize> {
        match self {
            Self::Previous => slice.checked_sub(1),
            Self::Next if slice + 1 < slices => Some(slice + 1),
            Self::Next => None,
        }
    }
}

/// Number of blocks of one image.
fn image_blocks(shape: Shape) -> usize {
    shape.channel_blocks() * shape.pixels()
}

/// For each slice its neighbour; zeros where there is none.
pub(crate) fn neighbour_slices(
    engine: &Engine,
    map: Map<'_>,
    slices: usize,
    which: Neighbour,
) -> FeatureMap {
    let size = image_blocks(map.shape());
    let mut result = engine.arena.map(map.shape());
    let (from, images) = (map.blocks(), result.par_chunks_mut(size).enumerate());
    images.for_each(|(n, to)| match which.of(n % slices, slices) {
        Some(slice) => to.copy_from_slice(&from[(n - n % slices + slice) * size..][..size]),
        None => to.fill(Block::ZERO),
    });
    result
}

/// The backward pass of [`neighbour_slices`]: adds to each slice's gradient what it received as the
/// neighbour of another slice.
pub(crate) fn add_neighbour_gradient(
    gradient: &mut FeatureMap,
    neighbour_gradient: Map<'_>,
    slices: usize,
    which: Neighbour,
) {
    let size = image_blocks(gradient.shape());
    let from = neighbour_gradient.blocks();
    let other = match which {
        Neighbour::Previous => Neighbour::Next,
        Neighbour::Next => Neighbour::Previous,
    };
    gradient.par_chunks_mut(size).enumerate().for_each(|(n, to)| {
        let Some(slice) = other.of(n % slices, slices) else { return };
        let from = &from[(n - n % slices + slice) * size..][..size];
        for (to, from) in to.iter_mut().zip(from) {
            to.0.iter_mut().zip(from.0).for_each(|(to, from)| *to += from);
        }
    });
}

/// Max pooling of pairs of slices.
pub(crate) fn max_pool_slice_pairs(engine: &Engine, map: Map<'_>) -> FeatureMap {
    let shape = map.shape();
    let size = image_blocks(shape);
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

/// The gradient of the input of [`max_pool_slice_pairs`]: that of the first slice where two are equal.
pub(crate) fn max_pool_slice_pairs_gradient(
    engine: &Engine,
    map: Map<'_>,
    gradient: Map<'_>,
) -> FeatureMap {
    let size = image_blocks(map.shape());
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
