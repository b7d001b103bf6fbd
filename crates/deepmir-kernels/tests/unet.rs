//! The whole network against a naive one in f64, forwards and backwards.

mod common;

use std::borrow::Cow;
use std::collections::BTreeMap;

use common::naive_unet::{Map, NaiveUNet, Weights};
use common::{assert_close, engines, halved, values};
use deepmir_kernels::parameters::{Gradients, Parameters};
use deepmir_kernels::unet::{Architecture, Network, Step};
use deepmir_kernels::{Activation, Engine, KernelError, Shape};

fn architecture(inputs: usize, widths: &[usize], norm: bool) -> Architecture {
    Architecture {
        inputs,
        widths: widths.to_vec(),
        outputs: 3,
        norm_after_concatenation: norm,
        epsilon: 1e-3,
    }
}

/// Weights that look trained.
fn weights(architecture: &Architecture, seed: u64) -> BTreeMap<String, Vec<f32>> {
    let tensors = architecture.tensors().into_iter().enumerate().map(|(i, tensor)| {
        let random = values(tensor.values(), seed + i as u64);
        let scaled = match tensor.name.rsplit('.').next() {
            Some("weight") => {
                let inputs = tensor.values() / tensor.shape[0].min(tensor.values());
                random.iter().map(|v| v * (6.0 / inputs as f32).sqrt()).collect()
            }
            Some("gamma" | "running_var") => random.iter().map(|v| 1.0 + 0.3 * v).collect(),
            _ => random.iter().map(|v| 0.2 * v).collect(),
        };
        (tensor.name, scaled)
    });
    tensors.collect()
}

fn widened(weights: &BTreeMap<String, Vec<f32>>) -> Weights {
    let wide = |values: &Vec<f32>| values.iter().map(|v| f64::from(*v)).collect();
    weights.iter().map(|(name, values)| (name.clone(), wide(values))).collect()
}

fn input_of(values: &[f32], shape: Shape) -> Map {
    Map { shape, values: values.iter().map(|v| f64::from(*v)).collect() }
}

fn networks() -> Vec<(Architecture, Shape)> {
    vec![
        (architecture(3, &[16, 32], true), Shape::new(2, 3, 12, 20)),
        (architecture(9, &[8, 20, 24], false), Shape::new(1, 9, 16, 8)),
        (architecture(1, &[4, 5, 6, 7], true), Shape::new(5, 1, 8, 8)),
        (architecture(2, &[17], false), Shape::new(2, 2, 5, 3)),
    ]
}

#[test]
fn inference_is_the_naive_network() {
    for (n, (architecture, shape)) in networks().into_iter().enumerate() {
        let mut weights = weights(&architecture, 1);
        if n % 2 == 0 {
            // As they come from a file in half precision.
            weights.values_mut().for_each(|values| *values = halved(values));
        }
        let input = values(shape.values(), 99);
        let naive =
            NaiveUNet { architecture: &architecture, weights: &widened(&weights), training: false };
        let expected = naive.run(input_of(&input, shape));
        for engine in engines() {
            let network = Network::new(&architecture, |name| {
                weights.get(name).map(|values| Cow::Borrowed(&values[..]))
            });
            let network = network.unwrap();
            let mut output = vec![f32::NAN; expected.values.len()];
            let size = (shape.batch, shape.height, shape.width);
            for _ in 0..2 {
                network.run(&engine, &input, size, Activation::Identity, &mut output).unwrap();
                assert_close(&output, &expected.values, 2e-5, "scores");
            }
            let sums = |output: &[f32], power: fn(f64) -> f64| -> Vec<f64> {
                let pixels = shape.pixels();
                let of = |i: usize| power(f64::from(output[i]));
                let class = |i: usize| of(i) + of(i + pixels) + of(i + 2 * pixels);
                let image = |n: usize| (0..pixels).map(move |i| n * 3 * pixels + i);
                (0..shape.batch).flat_map(image).map(class).collect()
            };
            let total = sums(&output, f64::exp);
            let scores = output.clone();
            network.run(&engine, &input, size, Activation::Softmax, &mut output).unwrap();
            let softmax: Vec<f64> = (0..output.len())
                .map(|i| {
                    let (image, pixel) = (i / (3 * shape.pixels()), i % shape.pixels());
                    f64::from(scores[i]).exp() / total[image * shape.pixels() + pixel]
                })
                .collect();
            assert_close(&output, &softmax, 1e-6, "softmax");
            network.run(&engine, &input, size, Activation::Sigmoid, &mut output).unwrap();
            let sigmoid: Vec<f64> =
                scores.iter().map(|s| 1.0 / (1.0 + (-f64::from(*s)).exp())).collect();
            assert_close(&output, &sigmoid, 1e-6, "sigmoid");
        }
    }
}

fn parameters(weights: &BTreeMap<String, Vec<f32>>) -> Parameters<'_> {
    weights.iter().map(|(name, values)| (name.clone(), &values[..])).collect()
}

#[test]
fn training_goes_forward_like_the_naive_network() {
    for (architecture, shape) in networks() {
        let weights = weights(&architecture, 2);
        let input = values(shape.values(), 98);
        let naive =
            NaiveUNet { architecture: &architecture, weights: &widened(&weights), training: true };
        let expected = naive.run(input_of(&input, shape));
        for engine in engines() {
            let mut scores = vec![f32::NAN; expected.values.len()];
            let size = (shape.batch, shape.height, shape.width);
            let parameters = parameters(&weights);
            let step =
                Step::forward(&engine, &architecture, &parameters, &input, size, &mut scores);
            assert_close(&scores, &expected.values, 1e-4, "scores");
            let statistics = step.unwrap().statistics().clone();
            let norms = architecture.tensors().iter().filter(|t| t.name.ends_with("gamma")).count();
            assert_eq!(statistics.len(), norms);

            // With the batch's statistics for running ones, inference is the same pass.
            let mut settled = weights.clone();
            for (name, moments) in statistics {
                settled.insert(format!("{name}.running_mean"), moments.mean);
                settled.insert(format!("{name}.running_var"), moments.variance);
            }
            let network = Network::new(&architecture, |name| {
                settled.get(name).map(|values| Cow::Borrowed(&values[..]))
            });
            let mut inferred = vec![f32::NAN; scores.len()];
            let run = Activation::Identity;
            network.unwrap().run(&engine, &input, size, run, &mut inferred).unwrap();
            assert_close(&inferred, &expected.values, 1e-4, "scores with settled statistics");
        }
    }
}

/// The loss is the inner product of the scores with fixed numbers, whose slope along a random
/// direction of one tensor is taken by differences in f64. Kinks of ReLU and maxima are avoided
/// by a tiny step.
#[test]
fn gradients_are_the_slopes_of_the_loss() {
    for (architecture, shape) in networks() {
        let weights = weights(&architecture, 3);
        let input = values(shape.values(), 97);
        let factors = values(shape.with_channels(3).values(), 96);
        let loss = |weights: &Weights| -> f64 {
            let naive = NaiveUNet { architecture: &architecture, weights, training: true };
            let scores = naive.run(input_of(&input, shape)).values;
            scores.iter().zip(&factors).map(|(s, f)| s * f64::from(*f)).sum()
        };
        let engine = Engine::new();
        let mut scores = vec![0.0; factors.len()];
        let size = (shape.batch, shape.height, shape.width);
        let parameters = parameters(&weights);
        let step = Step::forward(&engine, &architecture, &parameters, &input, size, &mut scores);
        let mut gradients = Gradients::default();
        step.unwrap().backward(&engine, &parameters, &factors, &mut gradients).unwrap();
        for tensor in architecture.tensors() {
            if !tensor.trained {
                assert!(!gradients.0.contains_key(&tensor.name));
                continue;
            }
            let gradient = &gradients.0[&tensor.name];
            let size = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            let direction: Vec<f64> =
                gradient.iter().map(|g| f64::from(*g) / size.max(1e-9)).collect();
            let step = 1e-6;
            let moved = |sign: f64| {
                let mut moved = widened(&weights);
                let values = moved.get_mut(&tensor.name).unwrap();
                for (value, direction) in values.iter_mut().zip(&direction) {
                    *value += sign * step * direction;
                }
                loss(&moved)
            };
            let slope = (moved(1.0) - moved(-1.0)) / (2.0 * step);
            let error = (slope - size).abs() / size.max(1e-2);
            assert!(error < 2e-3, "{}: slope {slope}, gradient {size}", tensor.name);
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let architecture = architecture(3, &[4, 8], true);
    let weights = weights(&architecture, 4);
    let network = |weights: &BTreeMap<String, Vec<f32>>| {
        Network::new(&architecture, |name| weights.get(name).cloned().map(Cow::Owned))
    };
    let mut fewer = weights.clone();
    fewer.remove("decoder.0.up.bias");
    assert_eq!(network(&fewer).err(), Some(KernelError::Missing("decoder.0.up.bias".to_owned())));
    fewer.insert("decoder.0.up.bias".to_owned(), vec![0.0; 5]);
    let message = network(&fewer).err().map(|error| error.to_string()).unwrap_or_default();
    assert_eq!(message, "tensor `decoder.0.up.bias` has 5 values where 4 are wanted");

    let (engine, network) = (Engine::new(), network(&weights).unwrap());
    let run = |input: &[f32], size, output: &mut [f32]| {
        network.run(&engine, input, size, Activation::Identity, output)
    };
    assert!(matches!(run(&[0.0; 27], (1, 3, 3), &mut [0.0; 27]), Err(KernelError::Size { .. })));
    assert!(matches!(run(&[0.0; 11], (1, 2, 2), &mut [0.0; 12]), Err(KernelError::Values { .. })));
    assert!(matches!(run(&[0.0; 12], (1, 2, 2), &mut [0.0; 13]), Err(KernelError::Values { .. })));
}
