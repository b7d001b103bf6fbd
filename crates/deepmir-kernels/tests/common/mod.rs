//! Naive versions of the kernels in f64, NCHW, and what the tests share.
#![allow(dead_code, reason = "each test file uses some of this")]

pub mod naive_unet;

use deepmir_kernels::{Engine, InstructionSet, Shape};
use proptest::prelude::*;

/// An engine for every instruction set of this CPU.
pub fn engines() -> Vec<Engine> {
    InstructionSet::available().into_iter().map(Engine::with).collect()
}

/// Reproducible values between -1 and 1, normal enough.
pub fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 * 2.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The values cut to the digits and the range of half precision.
pub fn halved(values: &[f32]) -> Vec<f32> {
    let cut = |value: &f32| f32::from_bits(value.to_bits() & !0x1fff);
    values.iter().map(cut).map(|v| if v.abs() < 6.2e-5 { 0.0 } else { v }).collect()
}

/// Small shapes of every kind: single pixels, odd sizes, single channels, batches.
pub fn shapes() -> impl Strategy<Value = Shape> {
    (1usize..4, 1usize..40, 1usize..12, 1usize..12)
        .prop_map(|(batch, channels, height, width)| Shape::new(batch, channels, height, width))
}

/// Asserts that no value is off by more than `tolerance` of the largest.
#[track_caller]
pub fn assert_close(actual: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_close_of(actual, expected, 1e-3, tolerance, what);
}

/// The same for sums of so many products of values within ±1. Where only a few sums are at hand and
/// their terms happen to cancel, rounding shows against what such sums usually amount to.
#[track_caller]
pub fn assert_sums(actual: &[f32], expected: &[f64], terms: usize, tolerance: f64, what: &str) {
    assert_close_of(actual, expected, 0.3 * (terms as f64).sqrt(), tolerance, what);
}

#[track_caller]
fn assert_close_of(actual: &[f32], expected: &[f64], least: f64, tolerance: f64, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(least, |max: f64, value| max.max(value.abs()));
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        let error = (f64::from(*a) - e).abs() / scale;
        assert!(error <= tolerance, "{what}: value {i} is {a}, should be {e} (off by {error:.1e})");
    }
}

fn at(shape: Shape, n: usize, c: usize, y: usize, x: usize) -> usize {
    ((n * shape.channels + c) * shape.height + y) * shape.width + x
}

/// Calls `visit(input index, weight index, output index)` for every product of a convolution
/// with an odd `size`.
fn for_each_product(
    shape: Shape,
    outputs: usize,
    size: usize,
    mut visit: impl FnMut(usize, usize, usize),
) {
    let out = shape.with_channels(outputs);
    let border = size / 2;
    for n in 0..shape.batch {
        for co in 0..outputs {
            for ci in 0..shape.channels {
                for y in 0..shape.height {
                    for x in 0..shape.width {
                        for ky in 0..size {
                            for kx in 0..size {
                                let (iy, ix) = (y + ky, x + kx);
                                if iy < border
                                    || ix < border
                                    || iy >= shape.height + border
                                    || ix >= shape.width + border
                                {
                                    continue;
                                }
                                visit(
                                    at(shape, n, ci, iy - border, ix - border),
                                    ((co * shape.channels + ci) * size + ky) * size + kx,
                                    at(out, n, co, y, x),
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The three passes of a linear layer, given all its products.
pub struct Linear {
    pub output: Vec<f64>,
    pub input_gradient: Vec<f64>,
    pub weight_gradient: Vec<f64>,
    pub bias_gradient: Vec<f64>,
}

/// Input, weights, bias and the output's gradient.
pub struct Data {
    pub input: Vec<f32>,
    pub weights: Vec<f32>,
    pub bias: Vec<f32>,
    pub gradient: Vec<f32>,
}

impl Data {
    /// Random values; weights of the size that keeps outputs near 1.
    pub fn new(inputs: usize, weights: usize, bias: usize, outputs: usize, seed: u64) -> Self {
        let size = (bias.max(1) as f32 / weights.max(1) as f32).sqrt();
        Self {
            input: values(inputs, seed),
            weights: values(weights, seed + 1).iter().map(|w| w * size).collect(),
            bias: values(bias, seed + 2),
            gradient: values(outputs, seed + 3),
        }
    }

    fn linear(&self, products: impl Fn(&mut dyn FnMut(usize, usize, usize)), out: Shape) -> Linear {
        let of_output = |i: usize| i / out.pixels() % out.channels;
        let mut result = Linear {
            output: (0..out.values()).map(|i| f64::from(self.bias[of_output(i)])).collect(),
            input_gradient: vec![0.0; self.input.len()],
            weight_gradient: vec![0.0; self.weights.len()],
            bias_gradient: vec![0.0; self.bias.len()],
        };
        for (i, gradient) in self.gradient.iter().enumerate() {
            result.bias_gradient[of_output(i)] += f64::from(*gradient);
        }
        products(&mut |input, weight, output| {
            let (x, w) = (f64::from(self.input[input]), f64::from(self.weights[weight]));
            let gradient = f64::from(self.gradient[output]);
            result.output[output] += x * w;
            result.input_gradient[input] += gradient * w;
            result.weight_gradient[weight] += gradient * x;
        });
        result
    }

    /// A `size` × `size` convolution.
    pub fn convolution(&self, shape: Shape, size: usize) -> Linear {
        let outputs = self.bias.len();
        self.linear(
            |visit| for_each_product(shape, outputs, size, visit),
            shape.with_channels(outputs),
        )
    }

    /// A 2×2 transposed convolution.
    pub fn upconv(&self, shape: Shape) -> Linear {
        let outputs = self.bias.len();
        let out = Shape::new(shape.batch, outputs, 2 * shape.height, 2 * shape.width);
        let products = |visit: &mut dyn FnMut(usize, usize, usize)| {
            for n in 0..shape.batch {
                for ci in 0..shape.channels {
                    for co in 0..outputs {
                        for y in 0..out.height {
                            for x in 0..out.width {
                                let tap = (y % 2) * 2 + x % 2;
                                visit(
                                    at(shape, n, ci, y / 2, x / 2),
                                    (ci * outputs + co) * 4 + tap,
                                    at(out, n, co, y, x),
                                );
                            }
                        }
                    }
                }
            }
        };
        self.linear(products, out)
    }
}
