//! Batch norm, ReLU and 2×2 maxima against naive versions in f64, and gradients numerically.

mod common;

use common::{assert_close, assert_sums, engines, shapes, values};
use deepmir_kernels::Shape;
use deepmir_kernels::nchw::{self, Tensor};
use proptest::prelude::*;

const EPSILON: f32 = 1e-5;

fn channel_of(shape: Shape, index: usize) -> usize {
    index / shape.pixels() % shape.channels
}

struct NaiveNorm {
    mean: Vec<f64>,
    variance: Vec<f64>,
    output: Vec<f64>,
}

fn naive_norm(input: &[f64], shape: Shape, gamma: &[f32], beta: &[f32]) -> NaiveNorm {
    let count = (shape.batch * shape.pixels()) as f64;
    let (mut mean, mut variance) = (vec![0.0; shape.channels], vec![0.0; shape.channels]);
    for (i, x) in input.iter().enumerate() {
        mean[channel_of(shape, i)] += x / count;
    }
    for (i, x) in input.iter().enumerate() {
        variance[channel_of(shape, i)] += (x - mean[channel_of(shape, i)]).powi(2) / count;
    }
    let output = input
        .iter()
        .enumerate()
        .map(|(i, x)| {
            let c = channel_of(shape, i);
            let normed = (x - mean[c]) / (variance[c] + f64::from(EPSILON)).sqrt();
            (f64::from(gamma[c]) * normed + f64::from(beta[c])).max(0.0)
        })
        .collect();
    NaiveNorm { mean, variance, output }
}

fn check_norm(shape: Shape, seed: u64, offset: f32) {
    let input: Vec<f32> = values(shape.values(), seed).iter().map(|x| x + offset).collect();
    let gamma = values(shape.channels, seed + 1);
    let beta = values(shape.channels, seed + 2);
    let wide: Vec<f64> = input.iter().map(|x| f64::from(*x)).collect();
    let expected = naive_norm(&wide, shape, &gamma, &beta);
    for engine in engines() {
        let mut output = vec![f32::NAN; shape.values()];
        let tensor = Tensor::new(&input, shape);
        let (moments, _) = nchw::norm_relu(&engine, tensor, &gamma, &beta, EPSILON, &mut output);
        assert_sums(&moments.mean, &expected.mean, 1, 2e-6, "mean");
        assert_close(&moments.variance, &expected.variance, 1e-5, "variance");
        assert_eq!(moments.count, shape.batch * shape.pixels());
        if shape.batch * shape.pixels() > 4 {
            assert_close(&output, &expected.output, 1e-4, "normed");
        }
    }
}

/// `Σ weight · output` as a function of one number, by central differences in f64.
fn slope(mut f: impl FnMut(f64) -> f64) -> f64 {
    let step = 1e-5;
    (f(step) - f(-step)) / (2.0 * step)
}

#[test]
fn norm_relu_gradient_is_the_slope_of_the_loss() {
    let shape = Shape::new(2, 3, 4, 5);
    let (input, weight) = (values(shape.values(), 1), values(shape.values(), 2));
    let (gamma, beta) = (vec![0.5, -1.5, 1.0], vec![0.1, 0.2, -0.3]);
    let wide: Vec<f64> = input.iter().map(|x| f64::from(*x)).collect();
    let loss = |input: &[f64], gamma: &[f32], beta: &[f32]| -> f64 {
        let output = naive_norm(input, shape, gamma, beta).output;
        output.iter().zip(&weight).map(|(y, w)| y * f64::from(*w)).sum()
    };
    for engine in engines() {
        let tensor = Tensor::new(&input, shape);
        let mut output = vec![0.0; shape.values()];
        let (_, norm) = nchw::norm_relu(&engine, tensor, &gamma, &beta, EPSILON, &mut output);
        let mut gradient = vec![f32::NAN; shape.values()];
        let (to_gamma, to_beta) =
            nchw::norm_relu_gradient(&engine, tensor, &norm, &weight, &mut gradient);
        let expected: Vec<f64> = (0..shape.values())
            .map(|i| {
                slope(|step| {
                    let mut moved = wide.clone();
                    moved[i] += step;
                    loss(&moved, &gamma, &beta)
                })
            })
            .collect();
        assert_close(&gradient, &expected, 1e-4, "to the input");
        for c in 0..shape.channels {
            let moved = |values: &[f32], step: f64| -> Vec<f32> {
                let mut moved = values.to_vec();
                moved[c] += (step * 100.0) as f32;
                moved
            };
            let by_gamma = slope(|step| loss(&wide, &moved(&gamma, step), &beta)) / 100.0;
            let by_beta = slope(|step| loss(&wide, &gamma, &moved(&beta, step))) / 100.0;
            assert!((by_gamma - f64::from(to_gamma[c])).abs() < 1e-2, "{by_gamma} {to_gamma:?}");
            assert!((by_beta - f64::from(to_beta[c])).abs() < 1e-2, "{by_beta} {to_beta:?}");
        }
    }
}

#[test]
fn a_large_mean_does_not_drown_the_variance() {
    check_norm(Shape::new(2, 20, 16, 16), 3, 100.0);
}

fn check_pool(shape: Shape, seed: u64) {
    let input = values(shape.values(), seed);
    let half = Shape { height: shape.height / 2, width: shape.width / 2, ..shape };
    let gradient = values(half.values(), seed + 1);
    let (mut maxima, mut expected) = (Vec::new(), vec![0.0; shape.values()]);
    for plane in 0..shape.batch * shape.channels {
        for y in 0..half.height {
            for x in 0..half.width {
                let start = plane * shape.pixels() + 2 * y * shape.width + 2 * x;
                let window = [start, start + 1, start + shape.width, start + shape.width + 1];
                let first =
                    window.into_iter().reduce(|a, b| if input[b] > input[a] { b } else { a });
                let first = first.unwrap_or(start);
                expected[first] = f64::from(gradient[maxima.len()]);
                maxima.push(f64::from(input[first]));
            }
        }
    }
    for engine in engines() {
        let mut output = vec![f32::NAN; half.values()];
        nchw::max_pool(&engine, Tensor::new(&input, shape), &mut output);
        assert_close(&output, &maxima, 0.0, "maxima");
        let mut back = vec![f32::NAN; shape.values()];
        nchw::max_pool_gradient(&engine, Tensor::new(&input, shape), &gradient, &mut back);
        assert_close(&back, &expected, 0.0, "gradient of maxima");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn norm_relu_normalises(shape in shapes(), seed in 0u64..1000) {
        check_norm(shape, seed, 0.3);
    }

    #[test]
    fn max_pool_takes_the_largest_of_four(shape in shapes(), seed in 0u64..1000) {
        check_pool(shape, seed);
    }
}

#[test]
fn equal_values_send_the_gradient_to_the_first() {
    let shape = Shape::new(1, 1, 2, 2);
    for engine in engines() {
        let mut back = vec![f32::NAN; 4];
        nchw::max_pool_gradient(&engine, Tensor::new(&[1.0; 4], shape), &[2.0], &mut back);
        assert_eq!(back, [2.0, 0.0, 0.0, 0.0]);
    }
}
