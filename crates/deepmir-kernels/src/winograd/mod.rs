//! 3×3 convolutions by Winograd's F(4×4, 3×3).

#![allow(clippy::needless_range_loop, reason = "indices as in the formulas")]

mod deep;
mod filter;
mod finish;
mod gather;
mod gradient;
mod matrices;
mod points;
mod scatter;
mod tiles;
mod wide;

pub(crate) use filter::{HalfWeights3x3, Kernel, Weights3x3};
pub(crate) use finish::Finish;
pub(crate) use gradient::WeightGradient;
pub(crate) use wide::Convolution;

use crate::block::MapMut;
use crate::engine::Engine;
use crate::norm::Sums;
use tiles::Tiles;

/// Tiles up to which weights are turned into points as they are needed, not before.
const FEW_TILES: usize = 64;
/// Pairs of channel blocks above which they are too: the points of all of them would fill the
/// last-level cache.
const MANY_PAIRS: usize = 128;

/// Convolves, and returns the sums of parts of the outputs if they are wanted: `[part][block]`.
pub(crate) fn convolve(
    engine: &Engine,
    convolution: &Convolution<'_>,
    outputs: &mut [MapMut<'_>],
    pooled: Option<&mut MapMut<'_>>,
) -> Vec<Sums> {
    let shape = outputs[0].shape();
    let tiles = shape.batch * Tiles::new(shape).per_image;
    let filter = &convolution.filter;
    if tiles <= FEW_TILES || filter.reads().blocks() * filter.writes().blocks() > MANY_PAIRS {
        deep::convolve(engine, convolution, outputs, pooled)
    } else {
        wide::convolve(engine, convolution, outputs, pooled)
    }
}
