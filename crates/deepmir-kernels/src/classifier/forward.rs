//! The forward pass in training, with the statistics of the batch.

use super::layers::{convolve, flatten, norm_relu, pool, weights};
use super::{Architecture, dense};
use crate::arena::FeatureMap;
use crate::block::Shape;
use crate::engine::Engine;
use crate::error::KernelError;
use crate::layout::from_nchw;
use crate::norm::Norm;
use crate::parameters::{Parameters, Statistics};

/// Dropout masks (Srivastava et al. 2014): factors for a batch's features and hidden values in
/// training, zero for what is dropped and more than one for the rest.
#[derive(Clone, Copy, Debug)]
pub struct Dropout<'a> {
    /// `[patch][feature]`.
    pub features: &'a [f32],
    /// `[patch][hidden value]`.
    pub hidden: &'a [f32],
}

/// A forward pass in training, with what the backward pass needs.
#[derive(Debug)]
pub struct Step {
    pub(super) architecture: Architecture,
    pub(super) levels: Vec<Level>,
    /// Input of the hidden layer, after dropout.
    pub(super) features: Vec<f32>,
    /// Input of the output layer, after dropout.
    pub(super) hidden: Vec<f32>,
    statistics: Statistics,
}

/// The inputs and the output of one convolution, stored for the backward pass.
#[derive(Debug)]
pub(super) struct Convolved {
    /// The previous slice of each slice.
    pub previous: FeatureMap,
    pub input: FeatureMap,
    /// The next slice of each slice.
    pub next: FeatureMap,
    pub output: FeatureMap,
    pub norm: Norm,
}

/// What one level stores for the backward pass.
#[derive(Debug)]
pub(super) struct Level {
    pub first: Convolved,
    pub second: Convolved,
    /// After the second norm and ReLU.
    pub activation: FeatureMap,
    /// The maxima within slices, if slice pairs are pooled after them.
    pub pooled_in_plane: Option<FeatureMap>,
}

impl Step {
    /// Runs `batch` patches of `[slice][channel][row][column]` with the statistics of the batch.
    /// Also returns their scores (logits).
    ///
    /// # Errors
    /// If the architecture is invalid, a tensor is missing, or a slice does not have as many
    /// values as that says.
    pub fn forward(
        engine: &Engine,
        architecture: &Architecture,
        epsilon: f32,
        parameters: &Parameters<'_>,
        (input, batch): (&[f32], usize),
        dropout: Option<Dropout<'_>>,
    ) -> Result<(Self, Vec<f32>), KernelError> {
        architecture.validate()?;
        architecture.validate_input(input.len(), batch)?;
        let [slices, height, width] = architecture.size;
        let mut map =
            engine.arena.map(Shape::new(batch * slices, architecture.inputs, height, width));
        from_nchw(input, map.view_mut());
        let mut pass = Forward { engine, parameters, epsilon, statistics: Statistics::new() };
        let mut levels = Vec::new();
        for (level, &channels) in architecture.widths.iter().enumerate() {
            let slices = architecture.size_after(level)[0];
            let (first, activation) = pass.convolution(level, 1, slices, channels, map)?;
            let (second, activation) = pass.convolution(level, 2, slices, channels, activation)?;
            let (pooled_in_plane, pooled) = pool(engine, level, &activation);
            let pooled_in_plane = match pooled {
                Some(pooled) => {
                    map = pooled;
                    Some(pooled_in_plane)
                }
                None => {
                    map = pooled_in_plane;
                    None
                }
            };
            levels.push(Level { first, second, activation, pooled_in_plane });
        }
        let mut features = flatten(&map);
        if let Some(dropout) = dropout {
            dense::multiply(&mut features, dropout.features, "dropout of features")?;
        }
        let drop_hidden = dropout.map(|dropout| dropout.hidden);
        let (hidden, scores) = dense::forward(architecture, parameters, &features, drop_hidden)?;
        let architecture = architecture.clone();
        let step = Self { architecture, levels, features, hidden, statistics: pass.statistics };
        Ok((step, scores))
    }

    /// Mean and variance of the batch at each batch norm, by its name (`level.0.norm1`, …).
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
    ) -> Result<(Convolved, FeatureMap), KernelError> {
        let weights = weights(self.parameters, level, index, input.shape().channels, channels)?;
        let ([previous, next], output, moments) =
            convolve(self.engine, weights, slices, channels, &input);
        let name = format!("level.{level}.norm{index}");
        let gamma = self.parameters.get(&format!("{name}.gamma"), channels)?;
        let beta = self.parameters.get(&format!("{name}.beta"), channels)?;
        let norm = Norm::new(&moments, gamma, beta, self.epsilon);
        self.statistics.insert(name, moments);
        let activation = norm_relu(self.engine, &output, norm.affine());
        Ok((Convolved { previous, input, next, output, norm }, activation))
    }
}
