//! Forward: with running statistics, or with those of the batch in training.

use std::collections::BTreeMap;

use super::Architecture;
use super::slices::{Beside, beside, pair_maxima};
use crate::block::{FeatureMap, Shape};
use crate::conv3x3;
use crate::engine::Engine;
use crate::layout::{copy, from_nchw, to_nchw};
use crate::norm::{Moments, Norm};
use crate::pool::max_pool;
use crate::source::{Affine, Source};
use crate::unet::{Parameters, Statistics, UNetError};

/// A trained classifier.
#[derive(Clone, Debug)]
pub struct Network {
    architecture: Architecture,
    epsilon: f32,
    tensors: BTreeMap<String, Vec<f32>>,
}

/// What is multiplied with a batch's features and hidden values in training: zero for what is dropped, and more
/// than one for the rest (Srivastava et al. 2014).
#[derive(Clone, Copy, Debug)]
pub struct Dropout<'a> {
    /// `[block][feature]`.
    pub features: &'a [f32],
    /// `[block][hidden value]`.
    pub hidden: &'a [f32],
}

/// A forward pass in training, with what the backward pass needs.
#[derive(Debug)]
pub struct Step {
    pub(super) architecture: Architecture,
    pub(super) levels: Vec<Level>,
    /// What the hidden layer read, after dropout.
    pub(super) features: Vec<f32>,
    /// What the last layer read, after dropout.
    pub(super) hidden: Vec<f32>,
    statistics: Statistics,
}

/// One convolution in training.
#[derive(Debug)]
pub(super) struct Convolved {
    pub before: FeatureMap,
    pub input: FeatureMap,
    pub after: FeatureMap,
    /// What the convolution wrote.
    pub output: FeatureMap,
    pub norm: Norm,
}

#[derive(Debug)]
pub(super) struct Level {
    pub first: Convolved,
    pub second: Convolved,
    /// After the second norm and ReLU.
    pub active: FeatureMap,
    /// The maxima in the slices, where those of pairs of slices follow.
    pub in_slices: Option<FeatureMap>,
}

impl Network {
    /// From tensors by the names of [`Architecture::tensors`]; `epsilon` is what norms add to variances.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong length.
    pub fn new(
        architecture: &Architecture,
        epsilon: f32,
        mut tensor: impl FnMut(&str) -> Option<Vec<f32>>,
    ) -> Result<Self, UNetError> {
        let mut tensors = BTreeMap::new();
        for wanted in architecture.tensors() {
            let values =
                tensor(&wanted.name).ok_or_else(|| UNetError::Missing(wanted.name.clone()))?;
            if values.len() != wanted.values() {
                let (found, expected) = (values.len(), wanted.values());
                return Err(UNetError::Length { name: wanted.name, found, expected });
            }
            tensors.insert(wanted.name, values);
        }
        Ok(Self { architecture: architecture.clone(), epsilon, tensors })
    }

    /// The scores of `batch` blocks of `[slice][channel][row][column]`.
    ///
    /// # Errors
    /// If `input` has not as many values as that says.
    pub fn scores(
        &self,
        engine: &Engine,
        input: &[f32],
        batch: usize,
    ) -> Result<Vec<f32>, UNetError> {
        self.architecture.check_input(input.len(), batch)?;
        let named = self.tensors.iter().map(|(name, values)| (name.clone(), values.as_slice()));
        let parameters: Parameters<'_> = named.collect();
        let [slices, height, width] = self.architecture.size;
        let mut here =
            engine.arena.map(Shape::new(batch * slices, self.architecture.inputs, height, width));
        from_nchw(input, here.view_mut());
        for (level, &channels) in self.architecture.widths.iter().enumerate() {
            for index in [1, 2] {
                here = self.convolution(engine, &parameters, level, index, channels, here)?;
            }
            let (in_slices, pooled) = maxima(engine, level, &here);
            here = pooled.unwrap_or(in_slices);
        }
        let features = flat(&here);
        let (_, scores) = top(&self.architecture, &parameters, features, None)?;
        Ok(scores)
    }

    fn convolution(
        &self,
        engine: &Engine,
        parameters: &Parameters<'_>,
        level: usize,
        index: usize,
        channels: usize,
        input: FeatureMap,
    ) -> Result<FeatureMap, UNetError> {
        let slices = self.architecture.size_after(level)[0];
        let weights = weights(parameters, level, index, input.shape().channels, channels)?;
        let (_, output, _) = convolve(engine, weights, slices, channels, &input);
        let get =
            |part: &str| parameters.get(&format!("level.{level}.norm{index}.{part}"), channels);
        let (gamma, beta) = (get("gamma")?, get("beta")?);
        let (mean, variance) = (get("running_mean")?, get("running_var")?);
        let scales = gamma.iter().zip(variance).map(|(gamma, v)| gamma / (v + self.epsilon).sqrt());
        let scale: Vec<f32> = scales.collect();
        let shift: Vec<f32> = (0..channels).map(|c| beta[c] - mean[c] * scale[c]).collect();
        Ok(active(engine, &output, &Affine::new(&scale, &shift)))
    }
}

impl Step {
    /// Runs `batch` blocks of `[slice][channel][row][column]` with the statistics of the batch; also returns their
    /// scores.
    ///
    /// # Errors
    /// If a tensor is missing, or a slice has not as many values as that says.
    pub fn forward(
        engine: &Engine,
        architecture: &Architecture,
        epsilon: f32,
        parameters: &Parameters<'_>,
        (input, batch): (&[f32], usize),
        dropout: Option<Dropout<'_>>,
    ) -> Result<(Self, Vec<f32>), UNetError> {
        architecture.check_input(input.len(), batch)?;
        let [slices, height, width] = architecture.size;
        let mut here =
            engine.arena.map(Shape::new(batch * slices, architecture.inputs, height, width));
        from_nchw(input, here.view_mut());
        let mut pass = Forward { engine, parameters, epsilon, statistics: Statistics::new() };
        let mut levels = Vec::new();
        for (level, &channels) in architecture.widths.iter().enumerate() {
            let slices = architecture.size_after(level)[0];
            let (first, active) = pass.convolution(level, 1, slices, channels, here)?;
            let (second, active) = pass.convolution(level, 2, slices, channels, active)?;
            let (in_slices, pooled) = maxima(engine, level, &active);
            let in_slices = match pooled {
                Some(pooled) => {
                    here = pooled;
                    Some(in_slices)
                }
                None => {
                    here = in_slices;
                    None
                }
            };
            levels.push(Level { first, second, active, in_slices });
        }
        let mut features = flat(&here);
        if let Some(dropout) = dropout {
            multiply(&mut features, dropout.features, "dropout of features")?;
        }
        let drop_hidden = dropout.map(|dropout| dropout.hidden);
        let kept = features.clone();
        let (hidden, scores) = top(architecture, parameters, features, drop_hidden)?;
        let architecture = architecture.clone();
        let step =
            Self { architecture, levels, features: kept, hidden, statistics: pass.statistics };
        Ok((step, scores))
    }

    /// Mean and variance that each batch norm saw, by its name (`level.0.norm1`, …).
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }
}

struct Forward<'a> {
    engine: &'a Engine,
    parameters: &'a Parameters<'a>,
    epsilon: f32,
    statistics: Statistics,
}

impl Forward<'_> {
    fn convolution(
        &mut self,
        level: usize,
        index: usize,
        slices: usize,
        channels: usize,
        input: FeatureMap,
    ) -> Result<(Convolved, FeatureMap), UNetError> {
        let weights = weights(self.parameters, level, index, input.shape().channels, channels)?;
        let ([before, after], output, moments) =
            convolve(self.engine, weights, slices, channels, &input);
        let name = format!("level.{level}.norm{index}");
        let gamma = self.parameters.get(&format!("{name}.gamma"), channels)?;
        let beta = self.parameters.get(&format!("{name}.beta"), channels)?;
        let norm = Norm::new(&moments, gamma, beta, self.epsilon);
        self.statistics.insert(name, moments);
        let active = active(self.engine, &output, norm.affine());
        Ok((Convolved { before, input, after, output, norm }, active))
    }
}

/// A 3×3×3 convolution: the slices beside each, what it wrote, and the moments of that.
fn convolve(
    engine: &Engine,
    weights: &[f32],
    slices: usize,
    channels: usize,
    input: &FeatureMap,
) -> ([FeatureMap; 2], FeatureMap, Moments) {
    let [before, after] =
        [Beside::Before, Beside::After].map(|which| beside(engine, input.view(), slices, which));
    let mut output = engine.arena.map(input.shape().with_channels(channels));
    let sources = [&before, input, &after].map(|map| Source::new(map.view()));
    let moments = conv3x3::forward(engine, weights, None, &sources, output.view_mut());
    ([before, after], output, moments)
}

/// What a norm and the ReLU behind it make of a map.
fn active(engine: &Engine, map: &FeatureMap, norm: &Affine) -> FeatureMap {
    let mut active = engine.arena.map(map.shape());
    copy(engine, Source::norm_relu(map.view(), norm), active.view_mut());
    active
}

/// A convolution's weights, `[out][3 · in][3][3]`.
pub(super) fn weights<'a>(
    parameters: &Parameters<'a>,
    level: usize,
    index: usize,
    from: usize,
    to: usize,
) -> Result<&'a [f32], UNetError> {
    parameters.get(&format!("level.{level}.conv{index}.weight"), 27 * from * to)
}

/// The maxima in the slices, and from the second level on those of pairs of slices.
fn maxima(engine: &Engine, level: usize, map: &FeatureMap) -> (FeatureMap, Option<FeatureMap>) {
    let shape = map.shape();
    let half = Shape { height: shape.height / 2, width: shape.width / 2, ..shape };
    let mut in_slices = engine.arena.map(half);
    max_pool(engine, Source::new(map.view()), in_slices.view_mut());
    let pooled = (level > 0).then(|| pair_maxima(engine, in_slices.view()));
    (in_slices, pooled)
}

fn flat(map: &FeatureMap) -> Vec<f32> {
    let mut values = vec![0.0; map.shape().values()];
    to_nchw(map.view(), &mut values);
    values
}

fn multiply(values: &mut [f32], factors: &[f32], what: &'static str) -> Result<(), UNetError> {
    let (found, expected) = (factors.len(), values.len());
    if found != expected {
        return Err(UNetError::Values { what, found, expected });
    }
    values.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
    Ok(())
}

/// The hidden layer and the last: hidden values after dropout, and scores.
fn top(
    architecture: &Architecture,
    parameters: &Parameters<'_>,
    features: Vec<f32>,
    dropout: Option<&[f32]>,
) -> Result<(Vec<f32>, Vec<f32>), UNetError> {
    let mut hidden =
        linear(parameters, "hidden", &features, architecture.features(), architecture.hidden)?;
    hidden.iter_mut().for_each(|value| *value = value.max(0.0));
    if let Some(dropout) = dropout {
        multiply(&mut hidden, dropout, "dropout of hidden values")?;
    }
    let scores = linear(parameters, "scores", &hidden, architecture.hidden, architecture.outputs)?;
    Ok((hidden, scores))
}

fn linear(
    parameters: &Parameters<'_>,
    name: &str,
    input: &[f32],
    from: usize,
    to: usize,
) -> Result<Vec<f32>, UNetError> {
    let weights = parameters.get(&format!("{name}.weight"), from * to)?;
    let bias = parameters.get(&format!("{name}.bias"), to)?;
    let rows = input.chunks_exact(from);
    let output = rows.flat_map(|row| {
        weights.chunks_exact(from).zip(bias).map(move |(weights, bias)| bias + dot(weights, row))
    });
    Ok(output.collect())
}

/// In eight sums, so that it is fast and near to the exact one.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
