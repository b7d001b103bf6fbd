//! Augmentation by misalignment and missing data: shifted, absent or cut-off images, missing slices.

use deepmir_cases::Modality;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::AugmentConfig;
use super::random::{chance, symmetric};

/// The shift of one modality's patch, as after a poor registration.
pub fn misalignment(
    modality: Modality,
    config: &AugmentConfig,
    generator: &mut ChaCha8Rng,
) -> [f64; 2] {
    if modality == Modality::T2w && config.misalignment_voxels > 0.0 {
        [0, 1].map(|_| symmetric(config.misalignment_voxels, generator))
    } else {
        [0.0; 2]
    }
}

/// Modality dropout: whether an optional image is missing from a patch.
pub fn missing(config: &AugmentConfig, generator: &mut ChaCha8Rng) -> bool {
    chance(config.missing_chance, generator)
}

/// With the configured chance, sets one modality's context slices to zero on one side of a line.
pub fn absent_side(
    slices: &mut [f32],
    size: [usize; 2],
    modality: Modality,
    config: &AugmentConfig,
    generator: &mut ChaCha8Rng,
) {
    if modality == Modality::Swi || !chance(config.absent_chance, generator) {
        return;
    }
    let (sin, cos) = symmetric(std::f64::consts::PI, generator).sin_cos();
    let distance = symmetric(0.3, generator) * size[0].min(size[1]) as f64;
    for slice in slices.chunks_exact_mut(size[0] * size[1]) {
        for (v, row) in slice.chunks_exact_mut(size[0]).enumerate() {
            let along = v as f64 - size[1] as f64 / 2.0;
            for (u, value) in row.iter_mut().enumerate() {
                let across = u as f64 - size[0] as f64 / 2.0;
                if across * cos + along * sin > distance {
                    *value = 0.0;
                }
            }
        }
    }
}

/// With the configured chance, the position of an outer slice to replace by the middle one.
pub fn missing_slice(
    context: usize,
    config: &AugmentConfig,
    generator: &mut ChaCha8Rng,
) -> Option<usize> {
    if context < 2 || !chance(config.missing_slice_chance, generator) {
        return None;
    }
    let outer = generator.random_range(0..context - 1);
    Some(if outer >= context / 2 { outer + 1 } else { outer })
}
