//! Against PyTorch: the kernels' U-Net in evaluation and in training.

use std::collections::BTreeMap;

use deepmir_kernels::parameters::Gradients;

use super::*;
use crate::architecture::Output;
use crate::infer::Network;
use crate::optimiser::{AdamW, Moments};
use crate::test_fixtures::{LOSS, assert_close, batch, fixture, follows_rounding, unet};
use crate::train::{LossConfig, StepSettings, TrainingEngine, TrainingState};

const ENTROPY: LossConfig =
    LossConfig { cross_entropy: 1.0, overlap: 0.0, false_positive: 0.5, false_negative: 0.5 };

fn training(name: &str, loss: LossConfig, adamw: AdamW) -> CpuTraining {
    let settings = StepSettings { architecture: unet(name), patch: [8, 12], loss, adamw };
    let weights = fixture(&format!("{name}_weights"));
    let state = TrainingState { weights, moments: Moments::default(), average: None };
    CpuTraining::new(settings, state).unwrap()
}

#[test]
fn outputs_in_evaluation_are_pytorchs() {
    for name in ["plain", "reference"] {
        let case = fixture(&format!("{name}_case"));
        let weights = fixture(&format!("{name}_weights"));
        let mut network = CpuNetwork::new(&unet(name), &weights, &Engine::new()).unwrap();
        let input = case.get("input").unwrap().values.clone();
        let got = network.probabilities(input, [2, 4, 12, 8]).unwrap();
        let scores = &case.get("evaluated").unwrap().values;
        let want: Vec<f32> = match unet(name).output {
            Output::Sigmoid => scores.iter().map(|score| 1.0 / (1.0 + (-score).exp())).collect(),
            Output::Softmax => (0..scores.len())
                .map(|n| {
                    let of_channel = |channel: usize| scores[n / 288 * 288 + channel * 96 + n % 96];
                    let sum: f32 = (0..3).map(|channel| of_channel(channel).exp()).sum();
                    scores[n].exp() / sum
                })
                .collect(),
        };
        assert_close(&got, &want, 1e-5, name);
    }
}

#[test]
fn loss_statistics_and_gradients_in_training_are_pytorchs() {
    for name in ["plain", "reference"] {
        let case = fixture(&format!("{name}_case"));
        let adamw = AdamW { epsilon: 1e-7, weight_decay: 0.0 };
        let mut training = training(name, ENTROPY, adamw);
        let loss = training.differentiate(&batch(name)).unwrap();
        assert_close(&[loss as f32], &case.get("loss").unwrap().values, 1e-5, "loss");
        let weights = training.validated_weights().unwrap();
        for (statistic, want) in &fixture(&format!("{name}_statistics")).0 {
            assert_close(&weights.0[statistic].values, &want.values, 1e-5, statistic);
        }
        let wanted = fixture(&format!("{name}_gradients")).0;
        let Gradients(found) = training.gradients();
        assert!(wanted.keys().eq(found.keys()));
        for (tensor, want) in &wanted {
            assert_close(&found[tensor], &want.values, 1e-4, tensor);
        }
    }
}

#[test]
fn ten_steps_are_pytorchs() {
    for name in ["plain", "reference"] {
        let wanted = fixture(&format!("{name}_steps"));
        let mut training = training(name, LOSS, AdamW { epsilon: 1e-7, weight_decay: 0.01 });
        let batch = batch(name);
        for want in &wanted.get("losses").unwrap().values {
            training.step(&batch, 2e-3, 0.0).unwrap();
            let got = training.take_losses().unwrap() as f32;
            assert!((got - want).abs() < 2e-5 * want, "{name}: loss {got} for {want}");
        }
        let found = training.validated_weights().unwrap();
        let start = fixture(&format!("{name}_weights"));
        let compared: BTreeMap<_, _> =
            found.0.iter().filter(|(tensor, _)| !follows_rounding(name, tensor)).collect();
        assert!(compared.len() > 20);
        for (tensor, got) in compared {
            let want = &wanted.get(tensor).unwrap().values;
            let apart = distance(&got.values, want);
            let moved = distance(&start.0[tensor].values, want);
            assert!(apart < 0.02 * moved, "{name}, {tensor}: {apart} apart, moved by {moved}");
        }
    }
}

/// The root of the sum of squared differences.
fn distance(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| (one - other).powi(2)).sum::<f32>().sqrt()
}
