//! Layers that forward and backward pass share, on maps with an empty slice at either end.

use rayon::prelude::*;

use crate::arena::FeatureMap;
use crate::block::{Block, Map, MapMut, Shape};
use crate::conv3x3;
use crate::engine::Engine;
use crate::layout::copy;
use crate::norm::{Moments, Norm};
use crate::parameters::Parameters;
use crate::prologue::Affine;
use crate::slices::{max_pool_slice_pairs, max_pool_slice_pairs_gradient};
use crate::source::Source;
use crate::{KernelError, max_pool, max_pool_gradient};

/// A map with an empty slice before the first and after the last.
#[derive(Debug)]
pub(super) struct Padded(FeatureMap);

impl Padded {
    /// With unspecified contents but for the empty slices. `shape` is without them.
    pub fn new(engine: &Engine, shape: Shape) -> Self {
        let mut map = engine.arena.map(Shape { batch: shape.batch + 2, ..shape });
        let slice = shape.channel_blocks() * shape.pixels();
        let end = map.len() - slice;
        map[..slice].fill(Block::ZERO);
        map[end..].fill(Block::ZERO);
        Self(map)
    }

    /// Without the empty slices.
    pub fn shape(&self) -> Shape {
        let shape = self.0.shape();
        Shape { batch: shape.batch - 2, ..shape }
    }

    /// Without the empty slices.
    pub fn view(&self) -> Map<'_> {
        self.0.view().images(1, self.shape().batch)
    }

    /// Without the empty slices.
    pub fn view_mut(&mut self) -> MapMut<'_> {
        let shape = self.shape();
        let slice = shape.channel_blocks() * shape.pixels();
        MapMut::new(shape, &mut self.0[slice..][..shape.blocks()])
    }

    /// For each slice the one before it, itself and the one after it, as a convolution reads them.
    pub fn neighbours(&self) -> [Source<'_>; 3] {
        let slices = self.shape().batch;
        [0, 1, 2].map(|first| Source::new(self.0.view().images(first, slices)))
    }
}

/// What a convolution with norm and ReLU gives.
#[derive(Debug)]
pub(super) struct Convolved {
    /// Before the norm.
    pub output: FeatureMap,
    pub norm: Norm,
    /// After norm and ReLU.
    pub activation: Padded,
}

/// The convolution `index` of `name` with its norm and ReLU.
pub(super) fn convolution(
    engine: &Engine,
    parameters: &Parameters<'_>,
    (name, index): (&str, usize),
    input: &Padded,
    channels: usize,
    epsilon: f32,
) -> Result<Convolved, KernelError> {
    let shape = input.shape();
    let weights = weights(parameters, name, index, shape.channels, channels)?;
    let mut output = engine.arena.map(shape.with_channels(channels));
    let moments = conv3x3::forward(engine, weights, None, &input.neighbours(), output.view_mut());
    let norm = norm(parameters, name, index, &moments, epsilon)?;
    let activation = activate(engine, &output, norm.affine());
    Ok(Convolved { output, norm, activation })
}

fn norm(
    parameters: &Parameters<'_>,
    name: &str,
    index: usize,
    moments: &Moments,
    epsilon: f32,
) -> Result<Norm, KernelError> {
    let channels = moments.mean.len();
    let gamma = parameters.get(&format!("{name}.norm{index}.gamma"), channels)?;
    let beta = parameters.get(&format!("{name}.norm{index}.beta"), channels)?;
    Ok(Norm::new(moments, gamma, beta, epsilon))
}

fn activate(engine: &Engine, output: &FeatureMap, norm: &Affine) -> Padded {
    let mut activation = Padded::new(engine, output.shape());
    copy(engine, Source::norm_relu(output.view(), norm), activation.view_mut());
    activation
}

/// A convolution's weights, `[out][3 · in][3][3]`.
pub(super) fn weights<'a>(
    parameters: &Parameters<'a>,
    name: &str,
    index: usize,
    from: usize,
    to: usize,
) -> Result<&'a [f32], KernelError> {
    parameters.get(&format!("{name}.conv{index}.weight"), 27 * from * to)
}

/// The weights of the convolution that takes the gradient of a convolution's output to that of its input: mirrored, and
/// `[in][3 · out][3][3]`.
pub(super) fn mirrored(weights: &[f32], from: usize, to: usize) -> Vec<f32> {
    let mut mirrored = vec![0.0; weights.len()];
    for output in 0..to {
        for slice in 0..3 {
            for input in 0..from {
                let read = &weights[((output * 3 + slice) * from + input) * 9..][..9];
                let write = &mut mirrored[((input * 3 + 2 - slice) * to + output) * 9..][..9];
                write.iter_mut().zip(read.iter().rev()).for_each(|(write, read)| *write = *read);
            }
        }
    }
    mirrored
}

/// The 2×2×2 maxima, and those within slices.
pub(super) fn pool(engine: &Engine, map: &Padded) -> (FeatureMap, Padded) {
    let shape = map.shape();
    let half = Shape { height: shape.height / 2, width: shape.width / 2, ..shape };
    let mut in_plane = engine.arena.map(half);
    max_pool(engine, Source::new(map.view()), in_plane.view_mut());
    let mut pooled = Padded::new(engine, Shape { batch: half.batch / 2, ..half });
    let pairs = max_pool_slice_pairs(engine, in_plane.view());
    pooled.view_mut().blocks().copy_from_slice(&pairs);
    (in_plane, pooled)
}

/// Adds to the gradient of a map that of its 2×2×2 maxima.
pub(super) fn add_pool_gradient(
    engine: &Engine,
    map: &Padded,
    in_plane: &FeatureMap,
    pooled: Map<'_>,
    gradient: MapMut<'_>,
) {
    let at_in_plane = max_pool_slice_pairs_gradient(engine, in_plane.view(), pooled);
    max_pool_gradient(engine, Source::new(map.view()), at_in_plane.view(), gradient);
}

/// Adds to a map another of half the size, each voxel repeated 2×2×2 times.
pub(super) fn add_upsampled(mut map: MapMut<'_>, half: Map<'_>) {
    let (shape, half_shape) = (map.shape(), half.shape());
    let blocks = shape.channel_blocks();
    map.blocks().par_chunks_mut(shape.pixels()).enumerate().for_each(|(plane, write)| {
        let read = half.plane(plane / blocks / 2, plane % blocks);
        for (y, write) in write.chunks_mut(shape.width).enumerate() {
            let read = &read[y / 2 * half_shape.width..][..half_shape.width];
            for (write, read) in write.chunks_mut(2).zip(read) {
                for write in write {
                    write.0.iter_mut().zip(read.0).for_each(|(write, read)| *write += read);
                }
            }
        }
    });
}

/// The gradient of the map that was repeated: the sums of 2×2×2 voxels.
pub(super) fn sum_octets(engine: &Engine, gradient: Map<'_>) -> FeatureMap {
    let shape = gradient.shape();
    let half =
        Shape { batch: shape.batch / 2, height: shape.height / 2, width: shape.width / 2, ..shape };
    let blocks = shape.channel_blocks();
    let mut sums = engine.arena.map(half);
    sums.par_chunks_mut(half.pixels()).enumerate().for_each(|(plane, write)| {
        let (slice, block) = (plane / blocks, plane % blocks);
        write.fill(Block::ZERO);
        for read in [2 * slice, 2 * slice + 1].map(|slice| gradient.plane(slice, block)) {
            for (y, read) in read.chunks(shape.width).enumerate() {
                let write = &mut write[y / 2 * half.width..][..half.width];
                for (write, read) in write.iter_mut().zip(read.chunks(2)) {
                    for read in read {
                        write.0.iter_mut().zip(read.0).for_each(|(write, read)| *write += read);
                    }
                }
            }
        }
    });
    sums
}
