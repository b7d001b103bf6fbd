//! Augmentation of intensities.

use deepmir_cases::Modality;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::AugmentConfig;
use super::random::{chance, factor, symmetric};

/// Augments the intensities of one modality's context slices, each of `size`, in place. Voxels that are exactly zero
/// (outside the brain) stay zero.
pub fn intensities(
    slices: &mut [f32],
    size: [usize; 2],
    modality: Modality,
    config: &AugmentConfig,
    generator: &mut ChaCha8Rng,
) {
    let area = size[0] * size[1];
    let quantitative = modality == Modality::Qsm;
    let gain = factor(if quantitative { config.susceptibility } else { config.contrast }, generator)
        as f32;
    let level = if quantitative { 0.0 } else { symmetric(config.contrast, generator) as f32 };
    let bias = if quantitative { 0.0 } else { config.bias };
    let slope = [0, 1].map(|_| symmetric(bias, generator));
    let noise = (config.noise * generator.random::<f64>()) as f32;
    let sigma =
        if chance(config.blur_chance, generator) { generator.random_range(0.3..1.0) } else { 0.0 };

    for slice in slices.chunks_exact_mut(area) {
        if sigma > 0.0 {
            blur(slice, size, sigma);
        }
        for (v, row) in slice.chunks_exact_mut(size[0]).enumerate() {
            let along = 2.0 * v as f64 / size[1] as f64 - 1.0;
            for (u, value) in row.iter_mut().enumerate() {
                if *value == 0.0 {
                    continue;
                }
                let across = 2.0 * u as f64 / size[0] as f64 - 1.0;
                let field = (1.0 + slope[0] * across + slope[1] * along) as f32;
                let random: f32 = if noise > 0.0 { StandardNormal.sample(generator) } else { 0.0 };
                *value = (*value * gain + level) * field + noise * random;
            }
        }
    }
}

/// A separable Gaussian of up to a voxel's standard deviation: seven taps, edges repeated.
fn blur(slice: &mut [f32], [width, height]: [usize; 2], sigma: f64) {
    let weights: [f32; 4] = {
        let raw = [0.0, 1.0, 2.0, 3.0].map(|n: f64| (-0.5 * (n / sigma).powi(2)).exp());
        let sum = raw[0] + 2.0 * (raw[1] + raw[2] + raw[3]);
        raw.map(|weight| (weight / sum) as f32)
    };
    let mut line = vec![0.0; width.max(height)];
    let mut along = |start: usize, step: usize, count: usize| {
        for n in 0..count {
            line[n] = slice[start + n * step];
        }
        for n in 0..count {
            let mut sum = weights[0] * line[n];
            for (offset, weight) in weights.iter().enumerate().skip(1) {
                sum +=
                    weight * (line[n.saturating_sub(offset)] + line[(n + offset).min(count - 1)]);
            }
            // Voxels outside the brain stay zero.
            if line[n] != 0.0 {
                slice[start + n * step] = sum;
            }
        }
    };
    (0..height).for_each(|v| along(v * width, 1, width));
    (0..width).for_each(|u| along(u, width, height));
}
