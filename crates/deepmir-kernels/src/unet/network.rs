//! Inference: batch norms folded into the convolutions, ReLU, maxima and concatenation into their
//! passes over memory, which is reused from level to level and from call to call.

use std::borrow::Cow;

use super::architecture::{Architecture, UNetError, check_values};
use crate::block::{FeatureMap, Map, Shape};
use crate::conv1x1::PackedConv1x1;
use crate::conv3x3::PackedConv3x3;
use crate::engine::Engine;
use crate::head::{Activation, head};
use crate::layout::from_nchw;
use crate::source::{Affine, Source};
use crate::upconv::PackedUpConv;

/// Images taken through the network together: deep levels then read their weights once for all.
const GROUP: usize = 4;
/// Maps of at least this many pixels are taken one at a time all the same, to stay in cache.
const LARGE_MAP: usize = 32 * 32;

/// A network with its weights packed, ready to run.
#[derive(Debug)]
pub struct Network {
    architecture: Architecture,
    encoder: Vec<Block>,
    /// The level at full resolution first.
    decoder: Vec<Up>,
    head: PackedConv1x1,
}

/// Two convolutions, each with its batch norm folded in.
#[derive(Debug)]
struct Block {
    first: PackedConv3x3,
    second: PackedConv3x3,
}

/// One step up.
#[derive(Debug)]
struct Up {
    up: PackedUpConv,
    /// Batch norm and ReLU of the encoder's channels after concatenation; the decoder's are
    /// folded into `up`.
    skip: Option<Affine>,
    block: Block,
}

impl Network {
    /// Packs the weights of a network. `tensor` gives the values of a name; they are used one
    /// after the other, so that reading them from a file needs the memory of one.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong length.
    pub fn new<'w>(
        architecture: &Architecture,
        tensor: impl FnMut(&str) -> Option<Cow<'w, [f32]>>,
    ) -> Result<Self, UNetError> {
        let mut load = Load { tensor, epsilon: architecture.epsilon };
        let mut channels = architecture.inputs;
        let mut encoder = Vec::new();
        for (level, &width) in architecture.widths.iter().enumerate() {
            encoder.push(load.block(&format!("encoder.{level}"), &[channels], width)?);
            channels = width;
        }
        let mut decoder = Vec::new();
        for level in (0..architecture.poolings()).rev() {
            let (name, width) = (format!("decoder.{level}"), architecture.widths[level]);
            let weights = load.get(&format!("{name}.up.weight"), 4 * channels * width)?;
            let mut bias = load.get(&format!("{name}.up.bias"), width)?.into_owned();
            let (mut skip, mut scale) = (None, None);
            if architecture.norm_after_concatenation {
                let (factors, shifts) = load.norm(&format!("{name}.concatenated"), 2 * width)?;
                skip = Some(Affine::new(&factors[..width], &shifts[..width]));
                for (i, bias) in bias.iter_mut().enumerate() {
                    *bias = *bias * factors[width + i] + shifts[width + i];
                }
                scale = Some(factors[width..].to_vec());
            }
            let up = PackedUpConv::new(&weights, channels, scale.as_deref(), &bias);
            drop(weights);
            let block = load.block(&format!("{name}.block"), &[width, width], width)?;
            decoder.insert(0, Up { up, skip, block });
            channels = width;
        }
        let weights = load.get("head.weight", channels * architecture.outputs)?;
        let bias = load.get("head.bias", architecture.outputs)?;
        let head = PackedConv1x1::new(&weights, &[channels], &bias);
        Ok(Self { architecture: architecture.clone(), encoder, decoder, head })
    }

    /// What it is.
    #[must_use]
    pub const fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Runs `batch` images of `[inputs][height][width]` and writes as many of
    /// `[outputs][height][width]`.
    ///
    /// # Errors
    /// If the sides are no multiples of [`Architecture::size_multiple`], or a slice has not as
    /// many values as that says.
    pub fn run(
        &self,
        engine: &Engine,
        input: &[f32],
        (batch, height, width): (usize, usize, usize),
        activation: Activation,
        output: &mut [f32],
    ) -> Result<(), UNetError> {
        self.architecture.check_size(batch, height, width)?;
        let (inputs, outputs) = (self.architecture.inputs, self.architecture.outputs);
        check_values("input", input.len(), batch * inputs * height * width)?;
        check_values("output", output.len(), batch * outputs * height * width)?;
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
        let mut here = engine.arena.map(shape);
        from_nchw(input, here.view_mut());
        let mut skips = Vec::new();
        for (level, block) in self.encoder.iter().enumerate() {
            let shape = here.shape().with_channels(self.architecture.widths[level]);
            let half = Shape { height: shape.height / 2, width: shape.width / 2, ..shape };
            let mut map = engine.arena.map(shape);
            let mut pooled = (level < self.decoder.len()).then(|| engine.arena.map(half));
            for (first, count) in parts(shape) {
                let source = Source::new(here.view().images(first, count));
                let mut pooled = pooled.as_mut().map(FeatureMap::view_mut);
                let mut pooled = pooled.as_mut().map(|map| map.images(first, count));
                let middle = block.start(engine, &[source]);
                let (mut map, middle) = (map.view_mut(), [Source::new(middle.view())]);
                block.second.run(engine, &middle, true, map.images(first, count), pooled.as_mut());
            }
            here = match pooled {
                Some(pooled) => {
                    skips.push(map);
                    pooled
                }
                None => map,
            };
        }

        let values = output.len() / shape.batch;
        let mut finish = |engine: &Engine, first: usize, map: Map<'_>| {
            let output = &mut output[first * values..][..map.shape().batch * values];
            head(engine, &self.head, &[Source::new(map)], activation, output);
        };
        let mut here = vec![here];
        for (level, up) in self.decoder.iter().enumerate().rev() {
            let Some(skip) = skips.pop() else { return };
            let mut next = Vec::new();
            for (first, count) in parts(skip.shape()) {
                let below = images(&here, first, count);
                let result = up.run(engine, below, skip.view().images(first, count));
                if level == 0 {
                    finish(engine, first, result.view());
                } else {
                    next.push(result);
                }
            }
            here = next;
        }
        if self.decoder.is_empty() {
            finish(engine, 0, here[0].view());
        }
    }
}

/// The images of a batch that are taken together at this size: `(first, count)`.
fn parts(shape: Shape) -> impl Iterator<Item = (usize, usize)> {
    let size = if shape.pixels() >= LARGE_MAP { 1 } else { shape.batch };
    (0..shape.batch).step_by(size).map(move |first| (first, size.min(shape.batch - first)))
}

/// Some images of a batch that is kept in maps of equal size, all within one of them.
fn images(maps: &[FeatureMap], first: usize, count: usize) -> Map<'_> {
    let per_map = maps[0].shape().batch;
    maps[first / per_map].view().images(first % per_map, count)
}

impl Block {
    /// The first convolution.
    fn start(&self, engine: &Engine, sources: &[Source<'_>]) -> FeatureMap {
        let shape = sources[0].map.shape().with_channels(self.first.outputs());
        let mut map = engine.arena.map(shape);
        self.first.run(engine, sources, true, map.view_mut(), None);
        map
    }
}

impl Up {
    fn run(&self, engine: &Engine, below: Map<'_>, skip: Map<'_>) -> FeatureMap {
        let mut above = engine.arena.map(skip.shape());
        self.up.run(engine, Source::new(below), self.skip.is_some(), above.view_mut());
        let skip = match &self.skip {
            Some(norm) => Source::norm_relu(skip, norm),
            None => Source::new(skip),
        };
        let middle = self.block.start(engine, &[skip, Source::new(above.view())]);
        drop(above);
        let mut result = engine.arena.map(skip.map.shape());
        let sources = [Source::new(middle.view())];
        self.block.second.run(engine, &sources, true, result.view_mut(), None);
        result
    }
}

/// Reads and folds tensors.
struct Load<F> {
    tensor: F,
    epsilon: f32,
}

impl<'w, F: FnMut(&str) -> Option<Cow<'w, [f32]>>> Load<F> {
    fn get(&mut self, name: &str, expected: usize) -> Result<Cow<'w, [f32]>, UNetError> {
        let values = (self.tensor)(name).ok_or_else(|| UNetError::Missing(name.to_owned()))?;
        if values.len() == expected {
            Ok(values)
        } else {
            Err(UNetError::Length { name: name.to_owned(), found: values.len(), expected })
        }
    }

    /// A batch norm with its running statistics: factors and shifts.
    fn norm(&mut self, name: &str, channels: usize) -> Result<(Vec<f32>, Vec<f32>), UNetError> {
        let mut get = |part: &str| self.get(&format!("{name}.{part}"), channels);
        let (gamma, beta) = (get("gamma")?, get("beta")?);
        let (mean, variance) = (get("running_mean")?, get("running_var")?);
        let factors: Vec<f32> = gamma
            .iter()
            .zip(variance.iter())
            .map(|(gamma, variance)| gamma / (variance + self.epsilon).sqrt())
            .collect();
        let shifts = (0..channels).map(|c| beta[c] - mean[c] * factors[c]).collect();
        Ok((factors, shifts))
    }

    /// A 3×3 convolution of maps with `from` channels and the batch norm behind it.
    fn convolution(
        &mut self,
        name: &str,
        index: usize,
        from: &[usize],
        to: usize,
    ) -> Result<PackedConv3x3, UNetError> {
        let inputs: usize = from.iter().sum();
        let (factors, mut shifts) = self.norm(&format!("{name}.norm{index}"), to)?;
        let bias = self.get(&format!("{name}.conv{index}.bias"), to)?;
        for (shift, (bias, factor)) in shifts.iter_mut().zip(bias.iter().zip(&factors)) {
            *shift += bias * factor;
        }
        let weights = self.get(&format!("{name}.conv{index}.weight"), 9 * inputs * to)?;
        Ok(PackedConv3x3::new(&weights, from, Some(&factors), &shifts))
    }

    fn block(&mut self, name: &str, from: &[usize], to: usize) -> Result<Block, UNetError> {
        Ok(Block {
            first: self.convolution(name, 1, from, to)?,
            second: self.convolution(name, 2, &[to], to)?,
        })
    }
}
