//! Weight gradients: for every pair of an input and an output channel, a few sums over all
//! pixels (or tiles) of the batch.
//!
//! The order of every reduction is fixed by the shapes alone, so that the result is the same bits
//! for any number of threads. In layers with few channels, each task reduces a range of pixels into
//! its own copy of all sums, and the copies are added at the end in order. In layers with many
//! channels, each task reduces all pixels for some pairs of channel blocks.

use rayon::prelude::*;

use super::outer_product::OuterProduct;
use crate::block::{Block, LANES};
use crate::engine::Engine;
use crate::simd::{Simd, Task};

/// What is correlated: a left side and a right side, `points` times at every item.
pub(crate) trait Correlation: Sync {
    /// Number of tiles or pixels of the whole batch.
    fn items(&self) -> usize;
    /// Number of sums for a pair of channels.
    fn points(&self) -> usize;
    /// Whether the right side differs from point to point.
    fn right_has_points(&self) -> bool;
    /// Channels in use of each left block.
    fn left_lanes(&self) -> &[usize];
    /// Number of blocks of the right side.
    fn right_blocks(&self) -> usize;
    /// Packs the left side: writes point `k` of item `first + i` to `out[k · stride + i]`.
    fn pack_left<S: Simd>(&self, simd: S, block: usize, items: ItemRange, out: &mut [Block]);
    /// The same for the right side.
    fn pack_right<S: Simd>(&self, simd: S, block: usize, items: ItemRange, out: &mut [Block]);
    /// Number of values of the gradient for a pair of channels.
    fn taps(&self) -> usize;
    /// Turns the sums `[point][left lane]` of a pair of blocks into gradients: those of left lane
    /// `i` and right lane `j` go to `out[j][i · taps ..]`.
    fn epilogue<S: Simd>(&self, simd: S, sums: &[Block], left_lanes: usize, out: &mut [&mut [f32]]);
}

/// A range of items and the distance between their points.
#[derive(Clone, Copy)]
pub(crate) struct ItemRange {
    pub first: usize,
    pub count: usize,
    pub stride: usize,
}

/// Pairs of blocks up to which tasks split the items.
const SPLIT_ITEMS_PAIRS: usize = 32;
/// Ranges that the items are split into: minimum, maximum, and their product with the pairs.
const RANGES: (usize, usize, usize) = (8, 16, 128);
/// Second-level cache that the current points may occupy, in blocks.
const CACHE_BLOCKS: usize = 3 * 1024;
/// Last-level cache that the points of all channels may occupy, in blocks.
const SHARED_CACHE_BLOCKS: usize = 256 * 1024;
/// Left and right blocks of a task that splits the channels.
const TASK_BLOCKS: (usize, usize) = (4, 2);

/// Computes the gradient, `[right channel][left channel][tap]`.
pub(crate) fn correlate<C: Correlation>(engine: &Engine, job: &C, gradient: &mut [f32]) {
    let pairs = job.left_lanes().len() * job.right_blocks();
    if pairs <= SPLIT_ITEMS_PAIRS {
        split_items(engine, job, gradient);
    } else {
        split_channels(engine, job, gradient);
    }
}

fn points_of<C: Correlation>(job: &C) -> (usize, usize) {
    (job.points(), if job.right_has_points() { job.points() } else { 1 })
}

fn split_items<C: Correlation>(engine: &Engine, job: &C, gradient: &mut [f32]) {
    let (lefts, rights) = (job.left_lanes().len(), job.right_blocks());
    let (left_points, right_points) = points_of(job);
    let pair = job.points() * LANES;
    let ranges = (RANGES.2 / (lefts * rights)).clamp(RANGES.0, RANGES.1);
    let per_range = job.items().div_ceil(ranges);
    let ranges = job.items().div_ceil(per_range);
    let step = (CACHE_BLOCKS / (lefts * left_points + rights * right_points)).clamp(12, 256);

    let mut sums = engine.arena.take(ranges * lefts * rights * pair);
    sums.par_chunks_mut(lefts * rights * pair).enumerate().for_each(|(range, sums)| {
        let stride = step | 1;
        let mut left = engine.arena.take(lefts * left_points * stride);
        let mut right = engine.arena.take(rights * right_points * stride);
        let end = ((range + 1) * per_range).min(job.items());
        for first in (range * per_range..end).step_by(step) {
            let items = ItemRange { first, count: step.min(end - first), stride };
            engine.set.run(PackTask {
                job,
                items,
                side: Side::Left,
                blocks: 0..lefts,
                out: &mut left,
            });
            engine.set.run(PackTask {
                job,
                items,
                side: Side::Right,
                blocks: 0..rights,
                out: &mut right,
            });
            engine.set.run(AccumulateTask {
                job,
                items,
                left: (&left, 0..lefts),
                right: (&right, 0..rights),
                accumulate: first > range * per_range,
                sums,
            });
        }
    });

    let (total, others) = sums.split_at_mut(lefts * rights * pair);
    total.par_chunks_mut(LANES).enumerate().for_each(|(chunk, total)| {
        for other in others.chunks_exact(lefts * rights * pair) {
            for (total, other) in total.iter_mut().zip(&other[chunk * LANES..]) {
                for (total, other) in total.0.iter_mut().zip(other.0) {
                    *total += other;
                }
            }
        }
    });
    let gradient_tiles = gradient_tiles(job, gradient, 1, 1);
    gradient_tiles.into_par_iter().zip(total.par_chunks_mut(pair)).for_each(|(mut tile, sums)| {
        engine.set.run(EpilogueTask { job, sums, left: tile.left, out: &mut tile.rows });
    });
}

fn split_channels<C: Correlation>(engine: &Engine, job: &C, gradient: &mut [f32]) {
    let (lefts, rights) = (job.left_lanes().len(), job.right_blocks());
    let (left_points, right_points) = points_of(job);
    let pair = job.points() * LANES;
    let task = TASK_BLOCKS.0 * TASK_BLOCKS.1 * pair;
    let fitting = SHARED_CACHE_BLOCKS / (lefts * left_points + rights * right_points);
    let chunk = job.items().div_ceil(job.items().div_ceil(fitting.max(12)));
    let stride = chunk | 1;

    let mut left = engine.arena.take(lefts * left_points * stride);
    let mut right = engine.arena.take(rights * right_points * stride);
    let mut gradient_tiles = gradient_tiles(job, gradient, TASK_BLOCKS.0, TASK_BLOCKS.1);
    let mut partial =
        engine.arena.take(if chunk < job.items() { gradient_tiles.len() * task } else { 0 });
    for first in (0..job.items()).step_by(chunk) {
        let items = ItemRange { first, count: chunk.min(job.items() - first), stride };
        left.par_chunks_mut(left_points * stride).enumerate().for_each(|(block, out)| {
            engine.set.run(PackTask {
                job,
                items,
                side: Side::Left,
                blocks: block..block + 1,
                out,
            });
        });
        right.par_chunks_mut(right_points * stride).enumerate().for_each(|(block, out)| {
            engine.set.run(PackTask {
                job,
                items,
                side: Side::Right,
                blocks: block..block + 1,
                out,
            });
        });
        let last = first + chunk >= job.items();
        let mut partial: Vec<_> = partial.chunks_mut(task).map(Some).collect();
        partial.resize_with(gradient_tiles.len(), || None);
        gradient_tiles.par_iter_mut().zip(partial).for_each(|(tile, partial)| {
            let mut scratch = engine.arena.take(if partial.is_some() { 0 } else { task });
            let sums = partial.unwrap_or(&mut scratch);
            let (from, to) = (tile.left, (tile.left + TASK_BLOCKS.0).min(lefts));
            let (start, end) = (tile.right, (tile.right + TASK_BLOCKS.1).min(rights));
            engine.set.run(AccumulateTask {
                job,
                items,
                left: (&left, from..to),
                right: (&right, start..end),
                accumulate: first > 0,
                sums,
            });
            if last {
                for (i, sums) in sums.chunks(pair).take((to - from) * (end - start)).enumerate() {
                    let (right, left) = (i / (to - from), i % (to - from));
                    let before = &job.left_lanes()[from..from + left];
                    let at = before.iter().sum::<usize>() * job.taps();
                    let mut rows: Vec<&mut [f32]> = tile.rows[right * LANES..]
                        .iter_mut()
                        .take(LANES)
                        .map(|row| &mut row[at..])
                        .collect();
                    engine.set.run(EpilogueTask { job, sums, left: from + left, out: &mut rows });
                }
            }
        });
    }
}

/// The part of the gradient that belongs to some left and right blocks.
struct GradientTile<'a> {
    left: usize,
    right: usize,
    /// One per right channel.
    rows: Vec<&'a mut [f32]>,
}

/// Splits the gradient into tiles of `lefts` × `rights` blocks, those of the first right blocks
/// first.
fn gradient_tiles<'a, C: Correlation>(
    job: &C,
    gradient: &'a mut [f32],
    lefts: usize,
    rights: usize,
) -> Vec<GradientTile<'a>> {
    let lanes = job.left_lanes();
    let width: usize = lanes.iter().sum::<usize>() * job.taps();
    let mut gradient_tiles = Vec::new();
    for (i, rows) in gradient.chunks_mut(rights * LANES * width).enumerate() {
        let start = gradient_tiles.len();
        gradient_tiles.extend((0..lanes.len()).step_by(lefts).map(|left| GradientTile {
            left,
            right: i * rights,
            rows: Vec::new(),
        }));
        for mut row in rows.chunks_mut(width) {
            for (tile, lanes) in gradient_tiles[start..].iter_mut().zip(lanes.chunks(lefts)) {
                let (head, tail) = row.split_at_mut(lanes.iter().sum::<usize>() * job.taps());
                tile.rows.push(head);
                row = tail;
            }
        }
    }
    gradient_tiles
}

enum Side {
    Left,
    Right,
}

/// Packs one side's points for a range of blocks.
struct PackTask<'a, C> {
    job: &'a C,
    items: ItemRange,
    side: Side,
    blocks: std::ops::Range<usize>,
    out: &'a mut [Block],
}

impl<C: Correlation> Task for PackTask<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (left_points, right_points) = points_of(self.job);
        match self.side {
            Side::Left => {
                let chunks = self.out.chunks_mut(left_points * self.items.stride);
                for (block, out) in self.blocks.zip(chunks) {
                    self.job.pack_left(simd, block, self.items, out);
                }
            }
            Side::Right => {
                let chunks = self.out.chunks_mut(right_points * self.items.stride);
                for (block, out) in self.blocks.zip(chunks) {
                    self.job.pack_right(simd, block, self.items, out);
                }
            }
        }
    }
}

/// Accumulates the products of some left and right blocks in `sums`, `[right][left][point][lane]`.
struct AccumulateTask<'a, C> {
    job: &'a C,
    items: ItemRange,
    left: (&'a [Block], std::ops::Range<usize>),
    right: (&'a [Block], std::ops::Range<usize>),
    accumulate: bool,
    sums: &'a mut [Block],
}

impl<C: Correlation> Task for AccumulateTask<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let ItemRange { count, stride, .. } = self.items;
        let points = self.job.points();
        let right_points = if self.job.right_has_points() { points } else { 1 };
        for point in 0..points {
            let mut pair = 0;
            for right in self.right.1.clone() {
                let right_point = if right_points == 1 { 0 } else { point };
                let right = &self.right.0[(right * right_points + right_point) * stride..][..count];
                for left in self.left.1.clone() {
                    let rows = self.job.left_lanes()[left];
                    let left = &self.left.0[(left * points + point) * stride..][..count];
                    let at = (pair * points + point) * LANES;
                    if let Some(sums) = self.sums[at..].first_chunk_mut() {
                        OuterProduct { left, right, rows, accumulate: self.accumulate }
                            .run(simd, sums);
                    }
                    pair += 1;
                }
            }
        }
    }
}

/// Turns the sums of one pair of blocks into gradients.
struct EpilogueTask<'a, 'r, C> {
    job: &'a C,
    sums: &'a [Block],
    left: usize,
    out: &'a mut [&'r mut [f32]],
}

impl<C: Correlation> Task for EpilogueTask<'_, '_, C> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        self.job.epilogue(simd, self.sums, self.job.left_lanes()[self.left], self.out);
    }
}
