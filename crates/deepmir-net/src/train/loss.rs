//! The loss: cross-entropy and soft overlap.

use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, sigmoid, softmax};

use super::config::LossConfig;
use crate::architecture::Output;

/// Added to numerator and denominator of the overlap, against division by zero.
const SMOOTH: f32 = 1.0;

/// The loss of scores against one-hot targets, both `[batch, channels, height, width]`; background is channel 0 of a
/// softmax.
pub fn loss(
    scores: Tensor<4>,
    targets: Tensor<4>,
    output: Output,
    config: &LossConfig,
) -> Tensor<1> {
    let mut total: Option<Tensor<1>> = None;
    let mut add = |term: Tensor<1>, weight: f32| {
        let term = term.mul_scalar(weight);
        total = Some(match total.take() {
            Some(sum) => sum + term,
            None => term,
        });
    };
    if config.cross_entropy > 0.0 {
        add(cross_entropy(scores.clone(), targets.clone(), output), config.cross_entropy);
    }
    if config.overlap > 0.0 {
        add(overlap_loss(scores.clone(), targets, output, config), config.overlap);
    }
    total.unwrap_or_else(|| Tensor::zeros([1], &scores.device()))
}

/// Mean over pixels.
fn cross_entropy(scores: Tensor<4>, targets: Tensor<4>, output: Output) -> Tensor<1> {
    match output {
        Output::Softmax => {
            let channels = scores.dims()[1] as f32;
            // The mean over all elements also divides by the channels, of which one counts.
            (log_softmax(scores, 1) * targets).mean().mul_scalar(-channels)
        }
        Output::Sigmoid => {
            // max(x, 0) − x·t + ln(1 + e^−|x|) does not overflow for any x.
            let rest = scores.clone().abs().neg().exp().add_scalar(1.0).log();
            let positive = scores.clone().clamp_min(0.0);
            (positive - scores * targets + rest).mean()
        }
    }
}

/// One minus the soft Tversky index over the whole batch, mean over the classes that occur in it. Counting an absent
/// class would push the probabilities of a rare class down in most batches; cross-entropy penalises its false
/// positives.
fn overlap_loss(
    scores: Tensor<4>,
    targets: Tensor<4>,
    output: Output,
    config: &LossConfig,
) -> Tensor<1> {
    let [_, channels, _, _] = scores.dims();
    let (probabilities, first) = match output {
        Output::Softmax => (softmax(scores, 1), 1),
        Output::Sigmoid => (sigmoid(scores), 0),
    };
    let classes = channels - first;
    let sum = |tensor: Tensor<4>| -> Tensor<1> {
        let by_class = tensor.narrow(1, first, classes).swap_dims(0, 1);
        by_class.flatten::<2>(1, 3).sum_dim(1).flatten::<1>(0, 1)
    };
    let shared = sum(probabilities.clone() * targets.clone());
    let (predicted, truth) = (sum(probabilities), sum(targets));
    let held = truth.clone().greater_scalar(0.0).float();
    let only_predicted = predicted - shared.clone();
    let missed = truth - shared.clone();
    let whole = shared.clone()
        + only_predicted.mul_scalar(config.false_positive)
        + missed.mul_scalar(config.false_negative);
    let index = shared.add_scalar(SMOOTH) / whole.add_scalar(SMOOTH);
    let lost = index.neg().add_scalar(1.0) * held.clone();
    lost.sum() / held.sum().clamp_min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn tensor(values: &[f32], shape: [usize; 4]) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
    }

    fn value(loss: Tensor<1>) -> f32 {
        loss.into_scalar::<f32>()
    }

    const DICE: LossConfig =
        LossConfig { cross_entropy: 0.0, overlap: 1.0, false_positive: 0.5, false_negative: 0.5 };
    const ENTROPY: LossConfig = LossConfig { cross_entropy: 1.0, overlap: 0.0, ..DICE };

    #[test]
    fn cross_entropy_of_a_worked_example() {
        // Two pixels, three channels: softmax of (0, ln 2, ln 5) is (1, 2, 5) / 8.
        let (l2, l5) = (2_f32.ln(), 5_f32.ln());
        let scores = tensor(&[0.0, 0.0, l2, l2, l5, l5], [1, 3, 1, 2]);
        let targets = tensor(&[1.0, 0.0, 0.0, 0.0, 0.0, 1.0], [1, 3, 1, 2]);
        let want = -((1.0_f32 / 8.0).ln() + (5.0_f32 / 8.0).ln()) / 2.0;
        assert!((value(loss(scores, targets, Output::Softmax, &ENTROPY)) - want).abs() < 1e-6);
        // Sigmoid of ln 3 is 3/4.
        let scores = tensor(&[3_f32.ln(), 3_f32.ln()], [1, 1, 1, 2]);
        let targets = tensor(&[1.0, 0.0], [1, 1, 1, 2]);
        let want = -((0.75_f32).ln() + (0.25_f32).ln()) / 2.0;
        assert!((value(loss(scores, targets, Output::Sigmoid, &ENTROPY)) - want).abs() < 1e-6);
    }

    #[test]
    fn overlap_of_a_worked_example() {
        // Saturated sigmoid: predicted 1 1 0 0, truth 0 1 1 1. Shared 1, only predicted 1, missed 2.
        let scores = tensor(&[50.0, 50.0, -50.0, -50.0], [1, 1, 2, 2]);
        let targets = tensor(&[0.0, 1.0, 1.0, 1.0], [1, 1, 2, 2]);
        let dice = value(loss(scores.clone(), targets.clone(), Output::Sigmoid, &DICE));
        assert!((dice - (1.0 - (1.0 + SMOOTH) / (2.5 + SMOOTH))).abs() < 1e-5);
        let iou = LossConfig { false_positive: 1.0, false_negative: 1.0, ..DICE };
        let iou = value(loss(scores, targets, Output::Sigmoid, &iou));
        assert!((iou - (1.0 - (1.0 + SMOOTH) / (4.0 + SMOOTH))).abs() < 1e-5);
    }

    #[test]
    fn background_and_absent_classes_do_not_count_as_overlap() {
        // No lesion at all: nothing to overlap, whatever is predicted.
        let scores = tensor(&[50.0, -50.0, -50.0, 50.0, -50.0, -50.0], [1, 3, 1, 2]);
        let targets = tensor(&[1.0, 1.0, 0.0, 0.0, 0.0, 0.0], [1, 3, 1, 2]);
        assert!(value(loss(scores, targets, Output::Softmax, &DICE)).abs() < 1e-6);
    }
}
