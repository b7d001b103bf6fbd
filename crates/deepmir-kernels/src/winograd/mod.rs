//! 3×3 convolutions by Winograd's F(4×4, 3×3).

#![allow(clippy::needless_range_loop, reason = "indices as in the formulas")]

mod convolution;
mod deep;
mod epilogue;
mod filter_transform;
mod input_transform;
mod matrices;
mod output_transform;
mod points;
mod tiles;
mod weight_gradient;
mod wide;

pub(crate) use convolution::Convolution;
pub(crate) use epilogue::Epilogue;
pub(crate) use weight_gradient::WeightGradient;

use crate::block::MapMut;
use crate::engine::Engine;
use crate::reduction::PartialSums;
use tiles::Tiles;

/// Up to this many tiles, weights are transformed as they are needed ([`deep`]), not in advance
/// ([`wide`]).
const FEW_TILES: usize = 64;
/// Above this many pairs of channel blocks they are too: all transformed weights together would
/// fill the last-level cache.
const MANY_PAIRS: usize = 128;

/// Convolves. Returns partial sums of the outputs, `[part][block]`, if they are wanted.
pub(crate) fn convolve(
    engine: &Engine,
    convolution: &Convolution<'_>,
    outputs: &mut [MapMut<'_>],
    pooled: Option<&mut MapMut<'_>>,
) -> Vec<PartialSums> {
    let shape = outputs[0].shape();
    let tiles = shape.batch * Tiles::new(shape).per_image;
    let filter = &convolution.filter;
    if tiles <= FEW_TILES || filter.reads().blocks() * filter.writes().blocks() > MANY_PAIRS {
        deep::convolve(engine, convolution, outputs, pooled)
    } else {
        wide::convolve(engine, convolution, outputs, pooled)
    }
}
