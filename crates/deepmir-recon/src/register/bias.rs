//! Uneven brightness from coils.

use deepmir_volume::{
    Interpolation, Mask, Volume, gaussian, resample, resample_to_spacing, statistics,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How the bias field is found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BiasConfig {
    /// Standard deviation of the Gaussian that the field is smoothed with, millimetres.
    pub smoothing_sigma_mm: f64,
    /// Classes of tissue.
    pub classes: usize,
    /// Rounds.
    pub rounds: usize,
}

impl Default for BiasConfig {
    fn default() -> Self {
        Self { smoothing_sigma_mm: 30.0, classes: 3, rounds: 8 }
    }
}

/// Voxel size at which the field is found, millimetres.
const COARSE_MM: f64 = 3.0;
/// Rounds before tissues are told apart.
const ROUNDS_OF_ONE_CLASS: usize = 3;

/// The image divided by its bias field, whose mean logarithm inside `mask` is zero.
///
/// In turns (after Wells et al., "Adaptive segmentation of MRI data", 1996): voxels of the mask go to
/// the nearest of a few tissue levels (k-means on the logarithm); what their logarithm differs from
/// the level by, smoothed, is bias.
pub fn correct_bias(image: &Volume<f32>, mask: &Mask, config: &BiasConfig) -> Volume<f32> {
    let coarse_sizes = image.grid().voxel_sizes_mm().map(|size| size.max(COARSE_MM));
    let Ok(coarse) = resample_to_spacing(image, coarse_sizes, Interpolation::Linear) else {
        return image.clone();
    };
    let inside = mask.map(|&inside| f32::from(inside));
    let inside = resample(&inside, coarse.grid(), Interpolation::Linear, 0.0);
    let weights = Volume::from_fn(*coarse.grid(), |voxel| {
        f32::from(inside[voxel] > 0.5 && coarse[voxel] > 0.0)
    });
    let logarithm = coarse.map(|&value| value.max(f32::MIN_POSITIVE).ln());
    let mut field = Volume::filled(*coarse.grid(), 0.0_f32);
    for round in 0..config.rounds {
        // A strong bias hides the tissues from each other: at first all are taken for one.
        let (classes, bound) =
            if round < ROUNDS_OF_ONE_CLASS { (1, 1.0) } else { (config.classes, 0.3) };
        field = better_field(&logarithm, &weights, &field, classes, bound, config);
    }
    let field = resample(&field, image.grid(), Interpolation::Linear, 0.0);
    let mut corrected = image.clone();
    let fields = field.data().par_iter();
    corrected.data_mut().par_iter_mut().zip(fields).for_each(|(value, &field)| {
        *value *= (-field).exp();
    });
    corrected
}

fn better_field(
    logarithm: &Volume<f32>,
    weights: &Volume<f32>,
    field: &Volume<f32>,
    classes: usize,
    bound: f32,
    config: &BiasConfig,
) -> Volume<f32> {
    let corrected: Vec<f32> =
        logarithm.data().iter().zip(field.data()).map(|(log, field)| log - field).collect();
    let inside: Vec<f32> = corrected
        .iter()
        .zip(weights.data())
        .filter(|(_, weight)| **weight > 0.0)
        .map(|(&value, _)| value)
        .collect();
    let levels = tissue_levels(inside, classes.clamp(1, 16));
    let mut difference = Volume::filled(*logarithm.grid(), 0.0_f32);
    let values = difference.data_mut().iter_mut().zip(weights.data()).zip(&corrected);
    for ((to, &weight), &value) in values {
        let nearest = levels
            .iter()
            .copied()
            .min_by(|a, b| (a - value).abs().total_cmp(&(b - value).abs()))
            .unwrap_or(value);
        // Bounded: what is far from every tissue says nothing about the coil.
        *to = weight * (value - nearest).clamp(-bound, bound);
    }
    let sigma_mm = [config.smoothing_sigma_mm; 3];
    let (mut sum, weight) =
        (gaussian::smooth(&difference, sigma_mm), gaussian::smooth(weights, sigma_mm));
    // Added to the field so far: a mean over a wide Gaussian alone would flatten it at the edges.
    let values = sum.data_mut().iter_mut().zip(weight.data()).zip(field.data());
    values.for_each(|((value, &weight), &field)| {
        *value = field + if weight > 1e-4 { *value / weight } else { 0.0 };
    });
    let total: f64 = weights.data().iter().map(|&weight| f64::from(weight)).sum();
    let mean: f64 = sum
        .data()
        .iter()
        .zip(weights.data())
        .map(|(&value, &weight)| f64::from(value * weight))
        .sum::<f64>()
        / total.max(1.0);
    sum.data_mut().iter_mut().for_each(|value| *value -= mean as f32);
    sum
}

/// Means of `classes` clusters, from evenly spaced quantiles on.
fn tissue_levels(mut values: Vec<f32>, classes: usize) -> Vec<f32> {
    let mut levels: Vec<f32> = (0..classes)
        .filter_map(|n| statistics::quantile(&mut values, (n as f64 + 0.5) / classes as f64))
        .collect();
    for _ in 0..10 {
        let mut sums = vec![(0.0_f64, 0.0_f64); levels.len()];
        for &value in &values {
            let nearest = (0..levels.len())
                .min_by(|&a, &b| (levels[a] - value).abs().total_cmp(&(levels[b] - value).abs()));
            if let Some(nearest) = nearest {
                sums[nearest].0 += f64::from(value);
                sums[nearest].1 += 1.0;
            }
        }
        for (level, (sum, count)) in levels.iter_mut().zip(sums) {
            if count > 0.0 {
                *level = (sum / count) as f32;
            }
        }
    }
    levels
}
