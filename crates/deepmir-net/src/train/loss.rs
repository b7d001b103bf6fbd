//! The loss: cross-entropy and soft overlap, with its gradient.

use rayon::prelude::*;

use super::config::LossConfig;
use crate::architecture::Output;

/// The class number of a pixel of which nobody knows whether it is a lesion: it does not count.
pub(crate) const UNKNOWN: u8 = u8::MAX;

/// Added to numerator and denominator of the overlap, against division by zero.
pub(crate) const SMOOTH: f64 = 1.0;

/// A loss, and its gradient at the scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// The loss.
    pub value: f64,
    /// Its derivative with respect to each score, in their layout.
    pub gradient: Vec<f32>,
}

/// The loss of scores (before softmax or sigmoid) `[batch, channels, pixels]` against class numbers
/// `[batch, pixels]`; background is class 0, and channel 0 of a softmax. Pixels of [`UNKNOWN`] class do not count: their
/// gradient is zero.
///
/// The cross-entropy is the mean over the known pixels. The overlap loss is one minus the soft Tversky index (Tversky 1977;
/// Salehi et al. 2017) over the known pixels of the whole batch, mean over the classes that occur in it. Counting an absent class would push
/// the probabilities of a rare class down in most batches; cross-entropy penalises its false positives.
pub fn loss(
    scores: &[f32],
    targets: &[u8],
    [_, channels, pixels]: [usize; 3],
    output: Output,
    config: &LossConfig,
) -> Loss {
    let first_class = usize::from(output == Output::Softmax);
    let classes = channels - first_class;
    let images = || scores.par_chunks(channels * pixels).zip(targets.par_chunks(pixels));
    // The gradient's memory holds the probabilities at first.
    let mut gradient = vec![0.0; scores.len()];
    let sums: Vec<Sums> = images()
        .zip(gradient.par_chunks_mut(channels * pixels))
        .map(|((scores, targets), probabilities)| {
            let entropy = match output {
                Output::Softmax => softmax(scores, targets, probabilities),
                Output::Sigmoid => sigmoid(scores, targets, probabilities),
            };
            Sums::new(entropy, &probabilities[first_class * pixels..], targets, classes)
        })
        .collect();
    // In the order of the images, so that the bits do not depend on the threads.
    let sums = sums.into_iter().fold(Sums::zero(classes), Sums::plus);

    let held = sums.truth.iter().filter(|&&truth| truth > 0.0).count().max(1) as f64;
    let mut overlap = 0.0;
    // The derivative of the overlap loss with respect to a class's probability, outside the lesion and in it.
    let slopes: Vec<[f32; 2]> = (0..classes)
        .map(|class| {
            let (shared, truth) = (sums.shared[class], sums.truth[class]);
            if truth == 0.0 {
                return [0.0; 2];
            }
            let only_predicted = sums.predicted[class] - shared;
            let (false_positive, false_negative) =
                (f64::from(config.false_positive), f64::from(config.false_negative));
            let whole =
                shared + false_positive * only_predicted + false_negative * (truth - shared);
            let (numerator, denominator) = (shared + SMOOTH, whole + SMOOTH);
            overlap += (1.0 - numerator / denominator) / held;
            let outside = numerator * false_positive;
            let inside = numerator * (1.0 - false_negative) - denominator;
            [outside, inside].map(|slope| {
                (f64::from(config.overlap) * slope / (denominator * denominator * held)) as f32
            })
        })
        .collect();
    let count = sums.known.max(1) as f64;
    let entropy = (f64::from(config.cross_entropy) / count) as f32;
    gradient.par_chunks_mut(channels * pixels).zip(targets.par_chunks(pixels)).for_each(
        |(gradient, targets)| match output {
            Output::Softmax => softmax_gradient(gradient, targets, entropy, &slopes),
            Output::Sigmoid => sigmoid_gradient(gradient, targets, entropy, slopes[0]),
        },
    );
    let value = f64::from(config.cross_entropy) * sums.entropy / count
        + f64::from(config.overlap) * overlap;
    Loss { value, gradient }
}

/// What the loss adds up over known pixels: their number, the cross-entropy and, by class, probabilities in lesions,
/// everywhere, and the lesions' pixels.
struct Sums {
    known: usize,
    entropy: f64,
    shared: Vec<f64>,
    predicted: Vec<f64>,
    truth: Vec<f64>,
}

impl Sums {
    fn zero(classes: usize) -> Self {
        let zeros = || vec![0.0; classes];
        Self { known: 0, entropy: 0.0, shared: zeros(), predicted: zeros(), truth: zeros() }
    }

    /// Of one image's probabilities `[class, pixels]`, which are zero where nothing is known.
    fn new(entropy: f64, probabilities: &[f32], targets: &[u8], classes: usize) -> Self {
        let known = targets.iter().filter(|&&target| target != UNKNOWN).count();
        let mut sums = Self { known, entropy, ..Self::zero(classes) };
        for (class, plane) in probabilities.chunks_exact(targets.len()).enumerate() {
            for (&probability, &target) in plane.iter().zip(targets) {
                let probability = f64::from(probability);
                sums.predicted[class] += probability;
                if usize::from(target) == class + 1 {
                    sums.shared[class] += probability;
                    sums.truth[class] += 1.0;
                }
            }
        }
        sums
    }

    fn plus(mut self, other: Self) -> Self {
        self.known += other.known;
        self.entropy += other.entropy;
        for (here, there) in [
            (&mut self.shared, &other.shared),
            (&mut self.predicted, &other.predicted),
            (&mut self.truth, &other.truth),
        ] {
            here.iter_mut().zip(there).for_each(|(here, there)| *here += there);
        }
        self
    }
}

/// Probabilities of one image, `[channel, pixels]`, zero where nothing is known, and the sum of its pixels'
/// cross-entropies.
fn softmax(scores: &[f32], targets: &[u8], probabilities: &mut [f32]) -> f64 {
    let (pixels, channels) = (targets.len(), scores.len() / targets.len());
    let mut entropy = 0.0;
    for (pixel, &target) in targets.iter().enumerate() {
        if target == UNKNOWN {
            (0..channels).for_each(|channel| probabilities[channel * pixels + pixel] = 0.0);
            continue;
        }
        let score = |channel: usize| scores[channel * pixels + pixel];
        let highest = (0..channels).map(score).fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for channel in 0..channels {
            let power = (score(channel) - highest).exp();
            probabilities[channel * pixels + pixel] = power;
            sum += power;
        }
        (0..channels).for_each(|channel| probabilities[channel * pixels + pixel] /= sum);
        entropy += f64::from(sum.ln() - (score(usize::from(target)) - highest));
    }
    entropy
}

/// [`softmax`] for a single channel.
fn sigmoid(scores: &[f32], targets: &[u8], probabilities: &mut [f32]) -> f64 {
    let mut entropy = 0.0;
    for ((&score, &target), probability) in scores.iter().zip(targets).zip(probabilities) {
        if target == UNKNOWN {
            *probability = 0.0;
            continue;
        }
        *probability = 1.0 / (1.0 + (-score).exp());
        // ln(1 + e^x) − x·t does not overflow for any x in this form.
        let positive = score.max(0.0) - if target > 0 { score } else { 0.0 };
        entropy += f64::from(positive + (-score.abs()).exp().ln_1p());
    }
    entropy
}

/// From probabilities to the gradient, in place, through the softmax: p·(g − Σ p·g) for the overlap, p − t for the
/// cross-entropy.
fn softmax_gradient(values: &mut [f32], targets: &[u8], entropy: f32, slopes: &[[f32; 2]]) {
    let pixels = targets.len();
    // Probabilities, and so gradients, are zero already where nothing is known.
    for (pixel, &target) in targets.iter().enumerate().filter(|(_, target)| **target != UNKNOWN) {
        let target = usize::from(target);
        let slope = |channel: usize| match channel.checked_sub(1) {
            Some(class) => slopes[class][usize::from(channel == target)],
            None => 0.0,
        };
        let channels = slopes.len() + 1;
        let mean: f32 = (1..channels).map(|n| values[n * pixels + pixel] * slope(n)).sum();
        for channel in 0..channels {
            let value = &mut values[channel * pixels + pixel];
            let probability = *value;
            let of_entropy = probability - f32::from(u8::from(channel == target));
            *value = entropy * of_entropy + probability * (slope(channel) - mean);
        }
    }
}

/// [`softmax_gradient`] for a single channel.
fn sigmoid_gradient(values: &mut [f32], targets: &[u8], entropy: f32, slopes: [f32; 2]) {
    for (value, &target) in values.iter_mut().zip(targets).filter(|(_, target)| **target != UNKNOWN)
    {
        let (probability, inside) = (*value, target > 0);
        let of_entropy = probability - f32::from(u8::from(inside));
        let of_overlap = probability * (1.0 - probability) * slopes[usize::from(inside)];
        *value = entropy * of_entropy + of_overlap;
    }
}

#[cfg(test)]
mod tests;
