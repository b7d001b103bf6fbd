//! The convolution and pooling layers, which inference and training share.

use crate::arena::FeatureMap;
use crate::block::Shape;
use crate::conv3x3;
use crate::engine::Engine;
use crate::error::KernelError;
use crate::layout::{copy, to_nchw};
use crate::norm::Moments;
use crate::parameters::Parameters;
use crate::pool::max_pool;
use crate::prologue::Affine;
use crate::slices::{Neighbour, max_pool_slice_pairs, neighbour_slices};
use crate::source::Source;

/// A 3×3×3 convolution: the previous and the next slice of each, its output, and the moments of
/// the output.
pub(super) fn convolve(
    engine: &Engine,
    weights: &[f32],
    slices: usize,
    channels: usize,
    input: &FeatureMap,
) -> ([FeatureMap; 2], FeatureMap, Moments) {
    let [previous, next] = [Neighbour::Previous, Neighbour::Next]
        .map(|which| neighbour_slices(engine, input.view(), slices, which));
    let mut output = engine.arena.map(input.shape().with_channels(channels));
    let sources = [&previous, input, &next].map(|map| Source::new(map.view()));
    let moments = conv3x3::forward(engine, weights, None, &sources, output.view_mut());
    ([previous, next], output, moments)
}

/// A map after a norm and ReLU.
pub(super) fn norm_relu(engine: &Engine, map: &FeatureMap, norm: &Affine) -> FeatureMap {
    let mut activation = engine.arena.map(map.shape());
    copy(engine, Source::norm_relu(map.view(), norm), activation.view_mut());
    activation
}

/// A convolution's weights, `[out][3 · in][3][3]`.
pub(super) fn weights<'a>(
    parameters: &Parameters<'a>,
    level: usize,
    index: usize,
    from: usize,
    to: usize,
) -> Result<&'a [f32], KernelError> {
    parameters.get(&format!("level.{level}.conv{index}.weight"), 27 * from * to)
}

/// The maxima within slices, and from the second level on those of pairs of slices.
pub(super) fn pool(
    engine: &Engine,
    level: usize,
    map: &FeatureMap,
) -> (FeatureMap, Option<FeatureMap>) {
    let shape = map.shape();
    let half = Shape { height: shape.height / 2, width: shape.width / 2, ..shape };
    let mut pooled_in_plane = engine.arena.map(half);
    max_pool(engine, Source::new(map.view()), pooled_in_plane.view_mut());
    let pooled = (level > 0).then(|| max_pool_slice_pairs(engine, pooled_in_plane.view()));
    (pooled_in_plane, pooled)
}

/// A map as an NCHW tensor.
pub(super) fn flatten(map: &FeatureMap) -> Vec<f32> {
    let mut values = vec![0.0; map.shape().values()];
    to_nchw(map.view(), &mut values);
    values
}
