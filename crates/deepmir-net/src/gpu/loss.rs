//! The loss of [`crate::train::loss`], on tensors of Burn.

use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, sigmoid, softmax};

use crate::architecture::Output;
use crate::train::{LossConfig, SMOOTH};

/// The loss of scores against one-hot targets, both `[batch, channels, height, width]`; background is channel 0 of a
/// softmax. `known` is `[batch, 1, height, width]`, 1 where the class is known and 0 elsewhere; targets are 0 there. Without
/// it every pixel is known.
pub(super) fn loss(
    scores: Tensor<4>,
    targets: Tensor<4>,
    known: Option<Tensor<4>>,
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
        let entropy = cross_entropy(scores.clone(), targets.clone(), known.clone(), output);
        add(entropy, config.cross_entropy);
    }
    if config.overlap > 0.0 {
        add(overlap_loss(scores.clone(), targets, known, output, config), config.overlap);
    }
    total.unwrap_or_else(|| Tensor::zeros([1], &scores.device()))
}

/// Mean over the known pixels.
fn cross_entropy(
    scores: Tensor<4>,
    targets: Tensor<4>,
    known: Option<Tensor<4>>,
    output: Output,
) -> Tensor<1> {
    let (each, channels) = match output {
        Output::Softmax => {
            let channels = scores.dims()[1] as f32;
            (log_softmax(scores, 1).neg() * targets, channels)
        }
        Output::Sigmoid => {
            // max(x, 0) − x·t + ln(1 + e^−|x|) does not overflow for any x.
            let rest = scores.clone().abs().neg().exp().add_scalar(1.0).log();
            let positive = scores.clone().clamp_min(0.0);
            (positive - scores * targets + rest, 1.0)
        }
    };
    match known {
        Some(known) => (each * known.clone()).sum() / known.sum().clamp_min(1.0),
        // The mean over all elements also divides by the channels, of which one counts.
        None => each.mean().mul_scalar(channels),
    }
}

/// One minus the soft Tversky index over the known pixels of the whole batch, mean over the classes that occur in it.
fn overlap_loss(
    scores: Tensor<4>,
    targets: Tensor<4>,
    known: Option<Tensor<4>>,
    output: Output,
    config: &LossConfig,
) -> Tensor<1> {
    let [_, channels, _, _] = scores.dims();
    let (probabilities, first) = match output {
        Output::Softmax => (softmax(scores, 1), 1),
        Output::Sigmoid => (sigmoid(scores), 0),
    };
    let probabilities = match known {
        Some(known) => probabilities * known,
        None => probabilities,
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
    let index = shared.add_scalar(SMOOTH as f32) / whole.add_scalar(SMOOTH as f32);
    let lost = index.neg().add_scalar(1.0) * held.clone();
    lost.sum() / held.sum().clamp_min(1.0)
}
