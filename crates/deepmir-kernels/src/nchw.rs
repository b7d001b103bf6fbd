//! The kernels on plain NCHW tensors.
//!
//! Each call converts to blocks of sixteen channels and back, which costs about as much as an
//! elementwise pass. A network that runs several kernels in a row should stay with [`Map`]s.
//!
//! Every function panics if a slice is not as long as its shape says.

use crate::arena::FeatureMap;
use crate::block::{Map, Shape};
use crate::engine::Engine;
use crate::norm::{Gate, Moments, Norm, ReluGradient, norm_gradient};
use crate::source::Source;
use crate::{conv1x1, conv3x3, layout, pool, upconv};

fn load(engine: &Engine, values: &[f32], shape: Shape) -> FeatureMap {
    let mut map = engine.arena.map(shape);
    layout::from_nchw(values, map.view_mut());
    map
}

fn half(shape: Shape) -> Shape {
    Shape { height: shape.height / 2, width: shape.width / 2, ..shape }
}

fn double(shape: Shape, channels: usize) -> Shape {
    Shape { channels, height: 2 * shape.height, width: 2 * shape.width, ..shape }
}

/// A tensor with its shape.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// `[batch][channel][row][column]`.
    pub values: &'a [f32],
    /// Its shape.
    pub shape: Shape,
}

impl<'a> Tensor<'a> {
    /// A tensor with its shape.
    #[must_use]
    pub const fn new(values: &'a [f32], shape: Shape) -> Self {
        Self { values, shape }
    }

    fn load(&self, engine: &Engine) -> FeatureMap {
        load(engine, self.values, self.shape)
    }
}

/// 3×3 convolution with stride 1 and zero padding: `weights` are
/// `[out channel][in channel][3][3]`, `output` has the input's size.
pub fn conv3x3(
    engine: &Engine,
    input: Tensor<'_>,
    weights: &[f32],
    bias: &[f32],
    output: &mut [f32],
) {
    let input = input.load(engine);
    let mut result = engine.arena.map(input.shape().with_channels(bias.len()));
    let sources = [Source::new(input.view())];
    conv3x3::forward(engine, weights, Some(bias), &sources, result.view_mut());
    layout::to_nchw(result.view(), output);
}

/// The gradient of [`fn@conv3x3`]'s input, of `channels` channels, from its output's.
pub fn conv3x3_input_gradient(
    engine: &Engine,
    gradient: Tensor<'_>,
    weights: &[f32],
    channels: usize,
    output: &mut [f32],
) {
    let gradient = gradient.load(engine);
    let mut result = engine.arena.map(gradient.shape().with_channels(channels));
    let outputs = vec![conv3x3::GatedGradient { output: result.view_mut(), gate: None }];
    conv3x3::input_gradient(engine, weights, gradient.view(), outputs);
    layout::to_nchw(result.view(), output);
}

/// The gradients of [`fn@conv3x3`]'s weights and bias, from its input and its output's gradient.
pub fn conv3x3_weight_gradient(
    engine: &Engine,
    input: Tensor<'_>,
    gradient: Tensor<'_>,
    weights: &mut [f32],
    bias: &mut [f32],
) {
    let (input, gradient) = (input.load(engine), gradient.load(engine));
    let sources = [Source::new(input.view())];
    conv3x3::weight_gradient(engine, &sources, gradient.view(), weights);
    bias.copy_from_slice(&layout::channel_sums(gradient.view()));
}

/// 1×1 convolution: `weights` are `[out channel][in channel]`.
pub fn conv1x1(
    engine: &Engine,
    input: Tensor<'_>,
    weights: &[f32],
    bias: &[f32],
    output: &mut [f32],
) {
    let input = input.load(engine);
    let mut result = engine.arena.map(input.shape().with_channels(bias.len()));
    conv1x1::PackedConv1x1::new(weights, &[input.shape().channels], bias).run(
        engine,
        &[Source::new(input.view())],
        result.view_mut(),
    );
    layout::to_nchw(result.view(), output);
}

/// The gradient of [`fn@conv1x1`]'s input, of `channels` channels, from its output's.
pub fn conv1x1_input_gradient(
    engine: &Engine,
    gradient: Tensor<'_>,
    weights: &[f32],
    channels: usize,
    output: &mut [f32],
) {
    let gradient = gradient.load(engine);
    let mut result = engine.arena.map(gradient.shape().with_channels(channels));
    conv1x1::input_gradient(engine, weights, gradient.view(), result.view_mut());
    layout::to_nchw(result.view(), output);
}

/// The gradients of [`fn@conv1x1`]'s weights and bias, from its input and its output's gradient.
pub fn conv1x1_weight_gradient(
    engine: &Engine,
    input: Tensor<'_>,
    gradient: Tensor<'_>,
    weights: &mut [f32],
    bias: &mut [f32],
) {
    let (input, gradient) = (input.load(engine), gradient.load(engine));
    conv1x1::weight_gradient(engine, Source::new(input.view()), gradient.view(), weights);
    bias.copy_from_slice(&layout::channel_sums(gradient.view()));
}

/// 2×2 transposed convolution with stride 2: `weights` are `[in channel][out channel][2][2]`,
/// `output` has twice the input's height and width.
pub fn upconv(
    engine: &Engine,
    input: Tensor<'_>,
    weights: &[f32],
    bias: &[f32],
    output: &mut [f32],
) {
    let input = input.load(engine);
    let mut result = engine.arena.map(double(input.shape(), bias.len()));
    upconv::forward(engine, weights, bias, Source::new(input.view()), result.view_mut());
    layout::to_nchw(result.view(), output);
}

/// The gradient of [`fn@upconv`]'s input, of `channels` channels, from its output's.
pub fn upconv_input_gradient(
    engine: &Engine,
    gradient: Tensor<'_>,
    weights: &[f32],
    channels: usize,
    output: &mut [f32],
) {
    let gradient = gradient.load(engine);
    let mut result = engine.arena.map(half(gradient.shape()).with_channels(channels));
    upconv::input_gradient(engine, weights, gradient.view(), result.view_mut());
    layout::to_nchw(result.view(), output);
}

/// The gradients of [`fn@upconv`]'s weights and bias, from its input and its output's gradient.
pub fn upconv_weight_gradient(
    engine: &Engine,
    input: Tensor<'_>,
    gradient: Tensor<'_>,
    weights: &mut [f32],
    bias: &mut [f32],
) {
    let (input, gradient) = (input.load(engine), gradient.load(engine));
    upconv::weight_gradient(engine, Source::new(input.view()), gradient.view(), weights);
    bias.copy_from_slice(&layout::channel_sums(gradient.view()));
}

/// 2×2 max pooling with stride 2; a last odd row or column is left out.
pub fn max_pool(engine: &Engine, input: Tensor<'_>, output: &mut [f32]) {
    let input = input.load(engine);
    let mut result = engine.arena.map(half(input.shape()));
    pool::max_pool(engine, Source::new(input.view()), result.view_mut());
    layout::to_nchw(result.view(), output);
}

/// The gradient of [`max_pool`]'s input from its input and its output's gradient: each to the
/// first of the four values that equals the maximum.
pub fn max_pool_gradient(engine: &Engine, input: Tensor<'_>, gradient: &[f32], output: &mut [f32]) {
    let gradient = load(engine, gradient, half(input.shape));
    let input = input.load(engine);
    let mut result = engine.arena.map(input.shape());
    result.fill(crate::Block::ZERO);
    pool::max_pool_gradient(engine, Source::new(input.view()), gradient.view(), result.view_mut());
    layout::to_nchw(result.view(), output);
}

/// Batch norm with the statistics of the batch, and ReLU. Returns those statistics, and the norm
/// for [`norm_relu_gradient`].
pub fn norm_relu(
    engine: &Engine,
    input: Tensor<'_>,
    gamma: &[f32],
    beta: &[f32],
    epsilon: f32,
    output: &mut [f32],
) -> (Moments, Norm) {
    let input = input.load(engine);
    let moments = Moments::of(engine, Source::new(input.view()));
    let norm = Norm::new(&moments, gamma, beta, epsilon);
    let mut result = engine.arena.map(input.shape());
    layout::copy(engine, Source::norm_relu(input.view(), norm.affine()), result.view_mut());
    layout::to_nchw(result.view(), output);
    (moments, norm)
}

/// The gradients of [`norm_relu`]'s input, scales and shifts, from its input and its output's
/// gradient.
pub fn norm_relu_gradient(
    engine: &Engine,
    input: Tensor<'_>,
    norm: &Norm,
    gradient: &[f32],
    output: &mut [f32],
) -> (Vec<f32>, Vec<f32>) {
    let mut gradient = load(engine, gradient, input.shape);
    let input = input.load(engine);
    let source = Source::new(input.view());
    let through = ReluGradient { gate: Gate { source, norm }, outer_norm: None, pooled: None }
        .run(engine, gradient.view_mut());
    norm_gradient(engine, source, &through, gradient.view_mut());
    layout::to_nchw(gradient.view(), output);
    (through.gamma, through.beta)
}

/// A map as an NCHW tensor.
#[must_use]
pub fn values(map: Map<'_>) -> Vec<f32> {
    let mut values = vec![0.0; map.shape().values()];
    layout::to_nchw(map, &mut values);
    values
}
