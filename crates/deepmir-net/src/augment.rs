//! Making training patches differ: geometry while they are cut, intensities after.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use deepmir_cases::Modality;

/// How much training patches are changed. Zero switches a change off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Rotation in the slice, up to ± this.
    pub rotation_degrees: f64,
    /// Scaling in the slice, by up to this factor either way, less one.
    pub scale: f64,
    /// Mirror left–right half of the time.
    pub flip_left_right: bool,
    /// Mirror front–back half of the time.
    pub flip_front_back: bool,
    /// Mirror bottom–top half of the time (the order of the context slices).
    pub flip_bottom_top: bool,
    /// Standard deviation of added noise, up to this, in normalised units.
    pub noise: f64,
    /// Contrast of SWI and T2w multiplied by up to this factor either way, less one; their level
    /// moved by up to as much.
    pub contrast: f64,
    /// Susceptibility multiplied by up to this factor either way, less one.
    pub susceptibility: f64,
    /// A smooth gain across the patch of SWI and T2w, up to ± this at its edges.
    pub bias: f64,
    /// Chance that the patch is blurred (by a Gaussian of up to one voxel).
    pub blur_chance: f64,
    /// Chance that an outer context slice is missing (a copy of the middle one stands in).
    pub missing_slice_chance: f64,
    /// T2w moved against the others by up to this many voxels, as a poor registration leaves it.
    pub misalignment_voxels: f64,
    /// Chance that QSM is absent (zero) on one side of a line across the patch, and that T2w is:
    /// susceptibility maps end short of the brain's surface, where lesions must be found without.
    pub absent_chance: f64,
    /// Chance that an image is missing altogether, for each that the plan calls optional.
    pub missing_chance: f64,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self::NONE
    }
}

impl AugmentConfig {
    /// No change at all.
    pub const NONE: Self = Self {
        rotation_degrees: 0.0,
        scale: 0.0,
        flip_left_right: false,
        flip_front_back: false,
        flip_bottom_top: false,
        noise: 0.0,
        contrast: 0.0,
        susceptibility: 0.0,
        bias: 0.0,
        blur_chance: 0.0,
        missing_slice_chance: 0.0,
        misalignment_voxels: 0.0,
        absent_chance: 0.0,
        missing_chance: 0.0,
    };
}

/// The generator of one sample: the same for the same seed, step and position in the batch,
/// whatever came before and whichever thread draws it.
pub fn generator(seed: u64, step: u64, position: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(step << 16 | position);
    generator
}

/// Where a patch is cut: a map from patch pixels to slice pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// The slice's pixel at the patch's centre.
    pub centre: [f64; 2],
    /// Rows of the 2×2 matrix from patch offsets to slice offsets.
    pub matrix: [[f64; 2]; 2],
    /// Whether the order of slices is turned round.
    pub flip_slices: bool,
}

impl Cut {
    /// Upright, unscaled.
    pub fn plain(centre: [f64; 2]) -> Self {
        Self { centre, matrix: [[1.0, 0.0], [0.0, 1.0]], flip_slices: false }
    }

    /// Rotated, scaled and mirrored at random.
    pub fn random(centre: [f64; 2], config: &AugmentConfig, generator: &mut ChaCha8Rng) -> Self {
        let angle = symmetric(config.rotation_degrees, generator).to_radians();
        let scale = factor(config.scale, generator);
        let mut sign = |on: bool| if on && generator.random_bool(0.5) { -1.0 } else { 1.0 };
        let (across, along) = (sign(config.flip_left_right), sign(config.flip_front_back));
        let flip_slices = sign(config.flip_bottom_top) < 0.0;
        let (sin, cos) = angle.sin_cos();
        Self {
            centre,
            matrix: [
                [cos * scale * across, -sin * scale * along],
                [sin * scale * across, cos * scale * along],
            ],
            flip_slices,
        }
    }

    /// The slice position of patch pixel `(u, v)` of a patch of `size`.
    pub fn source(&self, u: usize, v: usize, size: [usize; 2]) -> [f64; 2] {
        let du = u as f64 - (size[0] as f64 - 1.0) / 2.0;
        let dv = v as f64 - (size[1] as f64 - 1.0) / 2.0;
        [
            self.centre[0] + self.matrix[0][0] * du + self.matrix[0][1] * dv,
            self.centre[1] + self.matrix[1][0] * du + self.matrix[1][1] * dv,
        ]
    }

    /// Where the centre must lie so that slice pixel `there` falls on patch pixel `(u, v)`.
    pub fn centred_so_that(mut self, there: [f64; 2], u: f64, v: f64, size: [usize; 2]) -> Self {
        let du = u - (size[0] as f64 - 1.0) / 2.0;
        let dv = v - (size[1] as f64 - 1.0) / 2.0;
        self.centre = [
            there[0] - self.matrix[0][0] * du - self.matrix[0][1] * dv,
            there[1] - self.matrix[1][0] * du - self.matrix[1][1] * dv,
        ];
        self
    }

    /// The same cut a little aside, in slice pixels.
    pub fn moved(mut self, by: [f64; 2]) -> Self {
        self.centre = [self.centre[0] + by[0], self.centre[1] + by[1]];
        self
    }
}

/// How far one modality's patch is cut aside.
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

/// Changes the intensities of one modality's context slices, each of `size`, in place.
/// Voxels that are exactly zero (outside the brain) stay zero.
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

/// Whether an optional image is missing from a patch, with the configured chance.
pub fn missing(config: &AugmentConfig, generator: &mut ChaCha8Rng) -> bool {
    chance(config.missing_chance, generator)
}

/// With the configured chance, blanks one modality's context slices on one side of a line.
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

/// With the configured chance, puts the middle slice in the place of one of the outer ones: the
/// position of that slice, if any.
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

fn chance(probability: f64, generator: &mut ChaCha8Rng) -> bool {
    probability > 0.0 && generator.random::<f64>() < probability
}

/// Uniform within ± `most`.
fn symmetric(most: f64, generator: &mut ChaCha8Rng) -> f64 {
    most * (2.0 * generator.random::<f64>() - 1.0)
}

/// A factor from 1/(1 + `most`) to 1 + `most`, as often below as above 1.
fn factor(most: f64, generator: &mut ChaCha8Rng) -> f64 {
    (1.0 + most).powf(2.0 * generator.random::<f64>() - 1.0)
}

/// A separable Gaussian of up to a voxel's deviation, seven taps, edges repeated.
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
            // What is outside the brain stays outside.
            if line[n] != 0.0 {
                slice[start + n * step] = sum;
            }
        }
    };
    (0..height).for_each(|v| along(v * width, 1, width));
    (0..width).for_each(|u| along(u, width, height));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_puts_the_chosen_place_where_it_was_asked() {
        let config = AugmentConfig {
            rotation_degrees: 90.0,
            scale: 0.3,
            flip_left_right: true,
            ..AugmentConfig::NONE
        };
        for step in 0..20 {
            let cut = Cut::random([0.0; 2], &config, &mut generator(1, step, 0));
            let cut = cut.centred_so_that([40.5, 70.0], 10.0, 50.0, [64, 64]);
            let at = cut.source(10, 50, [64, 64]);
            assert!((at[0] - 40.5).abs() < 1e-9 && (at[1] - 70.0).abs() < 1e-9);
        }
    }

    #[test]
    fn generators_differ_by_seed_step_and_position_and_repeat() {
        let draw = |seed, step, position| generator(seed, step, position).random::<u64>();
        assert_eq!(draw(1, 2, 3), draw(1, 2, 3));
        let all = [draw(1, 2, 3), draw(2, 2, 3), draw(1, 3, 3), draw(1, 2, 4)];
        assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), 4);
    }

    #[test]
    fn an_absent_side_is_blank_and_swi_never_lacks() {
        let config = AugmentConfig { absent_chance: 1.0, ..AugmentConfig::NONE };
        for step in 0..20 {
            let mut slices = vec![1.0; 2 * 32 * 32];
            absent_side(&mut slices, [32, 32], Modality::Swi, &config, &mut generator(0, step, 0));
            assert!(slices.iter().all(|&value| value == 1.0));
            absent_side(&mut slices, [32, 32], Modality::Qsm, &config, &mut generator(0, step, 0));
            let blank = slices.iter().filter(|&&value| value == 0.0).count() as f64 / 2048.0;
            assert!((0.05..0.95).contains(&blank), "{blank}");
            assert_eq!(slices[..1024], slices[1024..], "the same in every slice");
        }
    }

    #[test]
    fn intensities_change_the_brain_and_never_what_lies_outside() {
        let config = AugmentConfig {
            noise: 0.2,
            contrast: 0.2,
            bias: 0.3,
            blur_chance: 1.0,
            ..AugmentConfig::NONE
        };
        let original: Vec<f32> = (0..64).map(|n| if n % 8 < 3 { 0.0 } else { 1.0 }).collect();
        let mut changed = original.clone();
        intensities(&mut changed, [8, 8], Modality::Swi, &config, &mut generator(0, 0, 0));
        for (before, after) in original.iter().zip(&changed) {
            assert_eq!(*before == 0.0, *after == 0.0);
        }
        assert_ne!(original, changed);
        let mut same = original.clone();
        intensities(
            &mut same,
            [8, 8],
            Modality::Swi,
            &AugmentConfig::NONE,
            &mut generator(0, 0, 0),
        );
        assert_eq!(original, same);
    }

    #[test]
    fn the_middle_slice_is_never_missing() {
        let config = AugmentConfig { missing_slice_chance: 1.0, ..AugmentConfig::NONE };
        let mut seen = [false; 5];
        for step in 0..60 {
            seen[missing_slice(5, &config, &mut generator(0, step, 0)).unwrap()] = true;
        }
        assert_eq!(seen, [true, true, false, true, true]);
    }
}
