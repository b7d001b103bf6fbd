//! Against Burn's own backend.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

use super::training::Tensors;
use super::*;
use crate::architecture::Output;
use crate::network::{BurnNetwork, Network};
use crate::train::{LossConfig, loss};
use crate::{UNet, Weights};

fn architecture(reference: bool) -> Architecture {
    Architecture {
        input_channels: 4,
        widths: vec![5, 17, 20],
        output_channels: if reference { 1 } else { 3 },
        output: if reference { Output::Sigmoid } else { Output::Softmax },
        norm_after_concatenation: reference,
        norm_epsilon: 1e-3,
        norm_momentum: 0.1,
    }
}

/// Waves, different in each channel.
fn input(shape: [usize; 4]) -> Vec<f32> {
    (0..shape.iter().product()).map(|n| (n as f32 * 0.37).sin() + (n % 11) as f32 / 9.).collect()
}

fn weights(architecture: &Architecture) -> Weights {
    uneven(Weights::initial(architecture, 7))
}

/// Weights whose norms have something to do.
pub(crate) fn uneven(mut weights: Weights) -> Weights {
    for (name, tensor) in &mut weights.0 {
        for (n, value) in tensor.values.iter_mut().enumerate() {
            if !name.ends_with("weight") {
                *value += 0.3 * ((n + name.len()) as f32).sin();
            }
        }
    }
    weights
}

#[track_caller]
pub(crate) fn assert_close(got: &[f32], want: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let size = want.iter().fold(1e-3_f32, |size, value| size.max(value.abs()));
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= tolerance * size, "{what}: {got} for {want}");
    }
}

#[test]
fn probabilities_are_those_of_burn() {
    let shape = [5, 4, 12, 20];
    for reference in [false, true] {
        let architecture = architecture(reference);
        let weights = weights(&architecture);
        let mut ours = CpuNetwork::new(&architecture, &weights, &Engine::new()).unwrap();
        let mut burn = BurnNetwork::new(&architecture, &weights, &Device::flex()).unwrap();
        let ours = ours.probabilities(input(shape), shape).unwrap();
        let burn = burn.probabilities(input(shape), shape).unwrap();
        assert_close(&ours, &burn, 1e-5, "probabilities");
    }
}

#[test]
fn loss_gradients_and_statistics_are_those_of_burn() {
    let shape = [3, 4, 12, 20];
    let device = Device::flex().autodiff();
    let config =
        LossConfig { cross_entropy: 1.0, overlap: 1.0, false_positive: 0.3, false_negative: 0.7 };
    for reference in [false, true] {
        let architecture = architecture(reference);
        let weights = weights(&architecture);
        let outputs = architecture.output_channels;
        let of_scores = |scores: Tensor<4>| {
            let area = shape[2] * shape[3];
            let mut targets = vec![0.0; shape[0] * outputs * area];
            for pixel in 0..shape[0] * area {
                let class = usize::from(pixel % 5 == 0) + usize::from(pixel % 10 == 0);
                let channel = if outputs == 1 { 0 } else { class };
                targets[(pixel / area * outputs + channel) * area + pixel % area] =
                    f32::from(outputs > 1 || class > 0);
            }
            let targets = TensorData::new(targets, [shape[0], outputs, shape[2], shape[3]]);
            let targets = Tensor::from_data(targets, &scores.device());
            loss(scores, targets, architecture.output, &config)
        };

        let net = UNet::new(&architecture, &weights, &device).unwrap();
        let mut cpu = CpuTraining::new(&architecture).unwrap();
        let ours = cpu.differentiate(net, &input(shape), shape, of_scores, &device).unwrap();

        let net = UNet::new(&architecture, &weights, &device).unwrap();
        let data = TensorData::new(input(shape), shape);
        let loss = of_scores(net.forward(Tensor::from_data(data, &device)));
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        let value = f64::from(loss.into_scalar::<f32>());
        let our_value = f64::from(ours.loss.into_scalar::<f32>());
        assert!((our_value - value).abs() < 1e-5, "{our_value} for {value}");

        let (ours_after, burns_after) = (ours.net.weights(), net.weights());
        for (name, tensor) in &burns_after.0 {
            assert_close(&ours_after.0[name].values, &tensor.values, 1e-5, name);
        }
        let mut tensors = Tensors::default();
        net.visit(&mut tensors);
        let mut of_ours = Tensors::default();
        ours.net.visit(&mut of_ours);
        let trained = architecture.tensors().into_iter().filter(|tensor| tensor.trained);
        for name in trained.map(|tensor| tensor.name) {
            let (ours_id, burns_id) = (of_ours.found[&name].id, tensors.found[&name].id);
            let pair = if tensors.found[&name].shape.len() == 1 {
                let of = |set: &GradientsParams, id| set.get::<1>(id).map(Tensor::into_data);
                (of(&ours.gradients, ours_id), of(&gradients, burns_id))
            } else {
                let of = |set: &GradientsParams, id| set.get::<4>(id).map(Tensor::into_data);
                (of(&ours.gradients, ours_id), of(&gradients, burns_id))
            };
            let values = |data: Option<TensorData>| data.unwrap().try_into_vec::<f32>().unwrap();
            assert_close(&values(pair.0), &values(pair.1), 1e-3, &name);
        }
    }
}
