//! Inference. Batch norms are folded into the convolutions; ReLU, pooling and concatenation are
//! fused into them. Memory is reused from level to level and from call to call.

use std::borrow::Cow;

use super::architecture::Architecture;
use super::folding::FoldedTensors;
use super::layers::{DoubleConv, UpBlock};
use crate::arena::FeatureMap;
use crate::block::{Map, Shape};
use crate::conv1x1::PackedConv1x1;
use crate::engine::Engine;
use crate::error::{KernelError, validate_values};
use crate::head::{Activation, head};
use crate::layout::from_nchw;
use crate::source::Source;

/// Images that go through the network together: deep levels then read their weights once for all.
const GROUP: usize = 4;
/// Maps of at least this many pixels go one at a time all the same, to stay in cache.
const LARGE_MAP: usize = 32 * 32;

/// A U-Net for inference, with its weights packed.
///
/// ```
/// use std::borrow::Cow;
/// use std::collections::BTreeMap;
///
/// use deepmir_kernels::unet::{Architecture, Network};
/// use deepmir_kernels::{Activation, Engine, KernelError};
///
/// let architecture = Architecture {
///     inputs: 2,
///     widths: vec![4, 8],
///     outputs: 3,
///     norm_after_concatenation: false,
///     epsilon: 1e-3,
/// };
/// // Weights come by name, usually from a file; here all values are 0.1.
/// let tensors: BTreeMap<_, _> =
///     architecture.tensors().into_iter().map(|t| (t.name.clone(), vec![0.1; t.values()])).collect();
/// let network =
///     Network::new(&architecture, |name| tensors.get(name).map(|v| Cow::Borrowed(&v[..])))?;
///
/// let (batch, height, width) = (1, 8, 12);
/// let images = vec![0.5; batch * architecture.inputs * height * width];
/// let mut probabilities = vec![0.0; batch * architecture.outputs * height * width];
/// let size = (batch, height, width);
/// network.run(&Engine::new(), &images, size, Activation::Softmax, &mut probabilities)?;
/// let first_pixel: f32 = probabilities.iter().step_by(height * width).sum();
/// assert!((first_pixel - 1.0).abs() < 1e-6);
/// # Ok::<(), KernelError>(())
/// ```
#[derive(Debug)]
pub struct Network {
    architecture: Architecture,
    encoder: Vec<DoubleConv>,
    /// From full resolution down.
    decoder: Vec<UpBlock>,
    head: PackedConv1x1,
}

impl Network {
    /// Packs the weights of a network. `tensor` returns the values of a name; they are used one
    /// tensor at a time, so that reading them from a file needs the memory of one.
    ///
    /// # Errors
    /// If the architecture is invalid, or a tensor is missing or has the wrong length.
    pub fn new<'w>(
        architecture: &Architecture,
        tensor: impl FnMut(&str) -> Option<Cow<'w, [f32]>>,
    ) -> Result<Self, KernelError> {
        architecture.validate()?;
        let mut tensors = FoldedTensors { tensor, epsilon: architecture.epsilon };
        let mut channels = architecture.inputs;
        let mut encoder = Vec::new();
        for (level, &width) in architecture.widths.iter().enumerate() {
            encoder.push(tensors.double_conv(&format!("encoder.{level}"), &[channels], width)?);
            channels = width;
        }
        let mut decoder = Vec::new();
        for level in (0..architecture.poolings()).rev() {
            let (name, width) = (format!("decoder.{level}"), architecture.widths[level]);
            let norm = architecture.norm_after_concatenation;
            decoder.insert(0, tensors.up_block(&name, channels, width, norm)?);
            channels = width;
        }
        let head = tensors.head(channels, architecture.outputs)?;
        Ok(Self { architecture: architecture.clone(), encoder, decoder, head })
    }

    /// The architecture.
    #[must_use]
    pub const fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Runs `batch` images of `[inputs][height][width]` and writes as many of
    /// `[outputs][height][width]`.
    ///
    /// # Errors
    /// If the sides are no multiples of [`Architecture::size_multiple`], or a slice does not have
    /// as many values as the size says.
    pub fn run(
        &self,
        engine: &Engine,
        input: &[f32],
        (batch, height, width): (usize, usize, usize),
        activation: Activation,
        output: &mut [f32],
    ) -> Result<(), KernelError> {
        self.architecture.validate_size(batch, height, width)?;
        let (inputs, outputs) = (self.architecture.inputs, self.architecture.outputs);
        validate_values("input", input.len(), batch * inputs * height * width)?;
        validate_values("output", output.len(), batch * outputs * height * width)?;
        let groups = input
            .chunks(GROUP * inputs * height * width)
            .zip(output.chunks_mut(GROUP * outputs * height * width));
        for (input, output) in groups {
            let shape = Shape::new(input.len() / (inputs * height * width), inputs, height, width);
            self.run_group(engine, input, shape, activation, output);
        }
        Ok(())
    }

    fn run_group(
        &self,
        engine: &Engine,
        input: &[f32],
        shape: Shape,
        activation: Activation,
        output: &mut [f32],
    ) {
        let mut map = engine.arena.map(shape);
        from_nchw(input, map.view_mut());
        let mut skips = Vec::new();
        for (level, convolutions) in self.encoder.iter().enumerate() {
            let shape = map.shape().with_channels(self.architecture.widths[level]);
            let half = Shape { height: shape.height / 2, width: shape.width / 2, ..shape };
            let mut output = engine.arena.map(shape);
            let mut pooled = (level < self.decoder.len()).then(|| engine.arena.map(half));
            for (first, count) in parts(shape) {
                let source = Source::new(map.view().images(first, count));
                let mut pooled = pooled.as_mut().map(FeatureMap::view_mut);
                let mut pooled = pooled.as_mut().map(|map| map.images(first, count));
                let mut output = output.view_mut();
                convolutions.run(engine, source, output.images(first, count), pooled.as_mut());
            }
            map = match pooled {
                Some(pooled) => {
                    skips.push(output);
                    pooled
                }
                None => output,
            };
        }

        let values = output.len() / shape.batch;
        let mut write = |engine: &Engine, first: usize, map: Map<'_>| {
            let output = &mut output[first * values..][..map.shape().batch * values];
            head(engine, &self.head, &[Source::new(map)], activation, output);
        };
        let mut maps = vec![map];
        for (level, up) in self.decoder.iter().enumerate().rev() {
            let Some(skip) = skips.pop() else { return };
            let mut next = Vec::new();
            for (first, count) in parts(skip.shape()) {
                let below = images(&maps, first, count);
                let result = up.run(engine, below, skip.view().images(first, count));
                if level == 0 {
                    write(engine, first, result.view());
                } else {
                    next.push(result);
                }
            }
            maps = next;
        }
        if self.decoder.is_empty() {
            write(engine, 0, maps[0].view());
        }
    }
}

/// The images of a batch that go together at this size: `(first, count)`.
fn parts(shape: Shape) -> impl Iterator<Item = (usize, usize)> {
    let size = if shape.pixels() >= LARGE_MAP { 1 } else { shape.batch };
    (0..shape.batch).step_by(size).map(move |first| (first, size.min(shape.batch - first)))
}

/// Some images of a batch that is stored in maps of equal size, all of them within one map.
fn images(maps: &[FeatureMap], first: usize, count: usize) -> Map<'_> {
    let per_map = maps[0].shape().batch;
    maps[first / per_map].view().images(first % per_map, count)
}
