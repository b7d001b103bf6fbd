//! Against PyTorch, worked examples and finite differences.

use super::*;
use crate::test_fixtures::{LOSS, assert_close, fixture};

const DICE: LossConfig =
    LossConfig { cross_entropy: 0.0, overlap: 1.0, false_positive: 0.5, false_negative: 0.5 };
const ENTROPY: LossConfig = LossConfig { cross_entropy: 1.0, overlap: 0.0, ..DICE };
/// `LOSSES` of `make_training_fixtures.py`.
const OF_FIXTURES: [LossConfig; 3] = [
    ENTROPY,
    LossConfig { cross_entropy: 0.0, overlap: 1.0, false_positive: 0.3, false_negative: 0.7 },
    LOSS,
];

fn value(scores: &[f32], targets: &[u8], output: Output, config: &LossConfig) -> f64 {
    loss(scores, targets, [1, scores.len() / targets.len(), targets.len()], output, config).value
}

#[test]
fn values_and_gradients_are_pytorchs() {
    let fixture = fixture("loss");
    let values = |name: String| fixture.get(&name).unwrap().values.clone();
    for case in ["3_3", "3_2", "3_1", "1_2", "1_1"] {
        let (channels, output) = match &case[..1] {
            "3" => (3, Output::Softmax),
            _ => (1, Output::Sigmoid),
        };
        let scores = values(format!("{case}.scores"));
        let targets = values(format!("{case}.target"));
        let targets: Vec<u8> = targets.into_iter().map(|class| class as u8).collect();
        for (n, config) in OF_FIXTURES.iter().enumerate() {
            let found = loss(&scores, &targets, [3, channels, 35], output, config);
            let what = format!("loss {n} of {case}");
            assert_close(&[found.value as f32], &values(format!("{case}.{n}.value")), 1e-6, &what);
            let gradient = values(format!("{case}.{n}.gradient"));
            assert_close(&found.gradient, &gradient, 2e-6, &what);
        }
    }
}

#[test]
fn unknown_pixels_do_not_count_as_in_pytorch() {
    let fixture = fixture("unknown_loss");
    let values = |name: String| fixture.get(&name).unwrap().values.clone();
    for case in ["3_3", "3_1", "1_2", "1_1"] {
        let (channels, output) = match &case[..1] {
            "3" => (3, Output::Softmax),
            _ => (1, Output::Sigmoid),
        };
        let scores = values(format!("{case}.scores"));
        let known = values(format!("{case}.known"));
        let targets = values(format!("{case}.target")).into_iter().zip(&known);
        let targets: Vec<u8> = targets
            .map(|(class, known)| if *known > 0.0 { class as u8 } else { UNKNOWN })
            .collect();
        for (n, config) in OF_FIXTURES.iter().enumerate() {
            let found = loss(&scores, &targets, [3, channels, 35], output, config);
            let what = format!("loss {n} of {case}");
            assert_close(&[found.value as f32], &values(format!("{case}.{n}.value")), 1e-6, &what);
            assert_close(&found.gradient, &values(format!("{case}.{n}.gradient")), 2e-6, &what);
        }
    }
}

#[test]
fn a_batch_of_which_nothing_is_known_has_no_loss() {
    for (scores, output) in [(vec![1.0; 12], Output::Softmax), (vec![1.0; 4], Output::Sigmoid)] {
        let shape = [1, scores.len() / 4, 4];
        let found = loss(&scores, &[UNKNOWN; 4], shape, output, &OF_FIXTURES[2]);
        assert_eq!(found, Loss { value: 0.0, gradient: vec![0.0; scores.len()] });
    }
}

#[test]
fn gradients_are_finite_differences() {
    let targets: Vec<u8> = (0..24).map(|n| (n % 7 == 0) as u8 + 2 * (n % 5 == 1) as u8).collect();
    for (channels, output) in [(4, Output::Softmax), (1, Output::Sigmoid)] {
        let targets: Vec<u8> = targets.iter().map(|&t| t.min(channels.max(2) as u8 - 1)).collect();
        let scores: Vec<f32> = (0..24 * channels).map(|n| 2.0 * (n as f32 * 0.7).sin()).collect();
        let shape = [2, channels, 12];
        let found = loss(&scores, &targets, shape, output, &OF_FIXTURES[2]);
        for n in 0..scores.len() {
            let at = |step: f32| {
                let mut scores = scores.clone();
                scores[n] += step;
                loss(&scores, &targets, shape, output, &OF_FIXTURES[2]).value
            };
            let slope = (at(0.01) - at(-0.01)) / 0.02;
            let got = f64::from(found.gradient[n]);
            assert!((got - slope).abs() < 2e-5, "{output:?} {n}: {got} for {slope}");
        }
    }
}

#[test]
fn cross_entropy_of_a_worked_example() {
    // Two pixels, three channels: softmax of (0, ln 2, ln 5) is (1, 2, 5) / 8.
    let (l2, l5) = (2_f32.ln(), 5_f32.ln());
    let got = value(&[0.0, 0.0, l2, l2, l5, l5], &[0, 2], Output::Softmax, &ENTROPY);
    let want = -((1.0_f64 / 8.0).ln() + (5.0_f64 / 8.0).ln()) / 2.0;
    assert!((got - want).abs() < 1e-6);
    // Sigmoid of ln 3 is 3/4.
    let got = value(&[3_f32.ln(), 3_f32.ln()], &[1, 0], Output::Sigmoid, &ENTROPY);
    let want = -(0.75_f64.ln() + 0.25_f64.ln()) / 2.0;
    assert!((got - want).abs() < 1e-6);
}

#[test]
fn extreme_scores_neither_overflow_nor_vanish() {
    for (scores, targets, output) in [
        (vec![1e4, -1e4, -1e4, 1e4], vec![0, 0], Output::Softmax),
        (vec![1e4, -1e4], vec![0, 1], Output::Sigmoid),
    ] {
        let shape = [1, scores.len() / targets.len(), targets.len()];
        let found = loss(&scores, &targets, shape, output, &OF_FIXTURES[2]);
        assert!(found.value.is_finite() && found.value > 1e3, "{output:?}: {}", found.value);
        assert!(found.gradient.iter().all(|slope| slope.is_finite()));
    }
}

#[test]
fn overlap_of_a_worked_example() {
    // Saturated sigmoid: predicted 1 1 0 0, truth 0 1 1 1. Shared 1, only predicted 1, missed 2.
    let (scores, targets) = ([50.0, 50.0, -50.0, -50.0], [0, 1, 1, 1]);
    let dice = value(&scores, &targets, Output::Sigmoid, &DICE);
    assert!((dice - (1.0 - (1.0 + SMOOTH) / (2.5 + SMOOTH))).abs() < 1e-6);
    let iou = LossConfig { false_positive: 1.0, false_negative: 1.0, ..DICE };
    let iou = value(&scores, &targets, Output::Sigmoid, &iou);
    assert!((iou - (1.0 - (1.0 + SMOOTH) / (4.0 + SMOOTH))).abs() < 1e-6);
}

#[test]
fn background_and_absent_classes_do_not_count_as_overlap() {
    // No lesion at all: nothing to overlap, whatever is predicted.
    let scores = [50.0, -50.0, -50.0, 50.0, -50.0, -50.0];
    assert_eq!(value(&scores, &[0, 0], Output::Softmax, &DICE), 0.0);
}
