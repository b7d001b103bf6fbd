//! How bright the classes are.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;

use super::class::{Class, Code};
use super::config::ContrastConfig;
use super::noise::{Field, Stream, between, chance, normal};
use crate::Tissue;

/// A way of weighting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weighting {
    Any,
    T2Star,
    T2,
    T1,
    Susceptibility,
}

/// The intensities of one example's classes.
#[derive(Clone, Debug)]
pub(super) struct Palette {
    pub(super) weighting: Weighting,
    mean: [f32; Class::COUNT],
    /// Standard deviation of the texture.
    texture: [f32; Class::COUNT],
    /// Standard deviation from voxel to voxel.
    grain: [f32; Class::COUNT],
    /// Where the texture is above it, the class has its second intensity.
    threshold: [f32; Class::COUNT],
    jump: [f32; Class::COUNT],
    /// Distance between the knots of the texture, in voxels of 1 mm.
    spacing: f32,
    /// The largest magnitude of a tissue's mean.
    pub(super) brightest: f32,
}

/// Typical intensities, 1 being the brightest: T2*-weighted, T2-weighted and T1-weighted; the last column is the
/// susceptibility in ppm relative to white matter's surroundings.
#[rustfmt::skip]
const TYPICAL: [(Class, [f32; 4]); Class::COUNT] = [
    (Class::Air, [0.01, 0.01, 0.01, 0.0]),
    (Class::SoftTissue, [0.55, 0.45, 0.55, 0.0]),
    (Class::Skin, [0.65, 0.55, 0.75, 0.0]),
    (Class::EyeMuscle, [0.45, 0.30, 0.45, 0.0]),
    (Class::Mucosa, [0.55, 0.75, 0.50, 0.0]),
    (Class::CorticalBone, [0.08, 0.06, 0.10, 0.0]),
    (Class::Marrow, [0.35, 0.45, 0.70, 0.0]),
    (Class::Eye, [0.75, 0.95, 0.22, 0.0]),
    (Class::Artery, [0.85, 0.10, 0.60, 0.02]),
    (Class::Vein, [0.30, 0.20, 0.40, 0.25]),
    (Class::Cord, [0.55, 0.45, 0.70, 0.0]),
    (Class::SulcalFluid, [0.68, 0.95, 0.18, 0.0]),
    (Class::WhiteMatter, [0.58, 0.40, 0.90, -0.02]),
    (Class::WhiteMatterLesion, [0.68, 0.75, 0.65, 0.0]),
    (Class::Commissure, [0.57, 0.38, 0.90, -0.03]),
    (Class::Vessel, [0.40, 0.50, 0.55, 0.10]),
    (Class::Cortex, [0.65, 0.58, 0.60, 0.01]),
    (Class::LateralVentricle, [0.70, 1.00, 0.13, 0.0]),
    (Class::MiddleVentricle, [0.70, 0.98, 0.14, 0.0]),
    (Class::ChoroidPlexus, [0.50, 0.80, 0.35, 0.03]),
    (Class::Caudate, [0.60, 0.54, 0.64, 0.05]),
    (Class::Accumbens, [0.62, 0.57, 0.62, 0.03]),
    (Class::Putamen, [0.60, 0.52, 0.67, 0.06]),
    (Class::Pallidum, [0.55, 0.40, 0.80, 0.15]),
    (Class::Thalamus, [0.60, 0.50, 0.76, 0.01]),
    (Class::Hippocampus, [0.65, 0.62, 0.59, 0.0]),
    (Class::Amygdala, [0.64, 0.61, 0.60, 0.0]),
    (Class::VentralDiencephalon, [0.57, 0.45, 0.79, 0.04]),
    (Class::Nigra, [0.54, 0.40, 0.78, 0.13]),
    (Class::Brainstem, [0.58, 0.45, 0.83, 0.0]),
    (Class::CerebellarWhiteMatter, [0.56, 0.42, 0.88, -0.01]),
    (Class::Dentate, [0.54, 0.40, 0.84, 0.10]),
    (Class::CerebellarCortex, [0.63, 0.57, 0.61, 0.01]),
    (Class::Unknown, [0.0; 4]),
];

/// Classes that are dark in T2* because of iron.
const IRON: [Class; 5] =
    [Class::Caudate, Class::Putamen, Class::Pallidum, Class::Nigra, Class::Dentate];

/// Classes that may be joined with the first of their line; the number is how often, relative to the configuration.
#[rustfmt::skip]
const JOINS: [(&[Class], f32); 12] = [
    (&[Class::SulcalFluid, Class::LateralVentricle, Class::MiddleVentricle], 4.0),
    (&[Class::LateralVentricle, Class::MiddleVentricle], 6.0),
    (&[Class::LateralVentricle, Class::ChoroidPlexus], 2.0),
    (&[Class::WhiteMatter, Class::Commissure], 6.0),
    (&[Class::WhiteMatter, Class::CerebellarWhiteMatter, Class::Brainstem], 3.0),
    (&[Class::Cortex, Class::CerebellarCortex, Class::Hippocampus, Class::Amygdala], 3.0),
    (&[Class::Cortex, Class::Caudate, Class::Putamen, Class::Accumbens, Class::Thalamus], 1.0),
    (&[Class::WhiteMatter, Class::Putamen, Class::Caudate, Class::Thalamus, Class::Pallidum,
       Class::Dentate, Class::Nigra], 1.0),
    (&[Class::VentralDiencephalon, Class::Nigra, Class::Brainstem], 2.0),
    (&[Class::CerebellarWhiteMatter, Class::Dentate], 3.0),
    (&[Class::WhiteMatter, Class::WhiteMatterLesion, Class::Vessel], 2.0),
    (&[Class::SoftTissue, Class::Skin, Class::EyeMuscle, Class::Mucosa, Class::CorticalBone,
       Class::Marrow, Class::Eye, Class::Artery, Class::Vein, Class::Cord], 1.0),
];

impl Palette {
    /// Draws the intensities.
    pub(super) fn draw(config: &ContrastConfig, rng: &mut ChaCha8Rng) -> Self {
        let weighting = draw_weighting(&config.weights, rng);
        let mut mean = match weighting {
            Weighting::Any => any_means(rng),
            Weighting::T2Star => typical_means(0, rng),
            Weighting::T2 => typical_means(1, rng),
            Weighting::T1 => typical_means(2, rng),
            Weighting::Susceptibility => susceptibilities(rng),
        };
        for (classes, often) in JOINS {
            if chance((often * config.merge_probability).min(0.95), rng) {
                for &class in classes {
                    mean[class as usize] = mean[classes[0] as usize];
                }
            }
        }
        let of_tissues = Class::ALL.map(|class| class.tissue() != Some(Tissue::Background));
        let brightest = (0..Class::COUNT)
            .filter(|&class| of_tissues[class])
            .map(|class| mean[class].abs())
            .fold(0.02, f32::max);
        let factor = if weighting == Weighting::Any { 1.0 } else { 0.5 };
        let mut texture = [0.0; Class::COUNT];
        let mut grain = [0.0; Class::COUNT];
        let mut threshold = [f32::INFINITY; Class::COUNT];
        let mut jump = [0.0; Class::COUNT];
        for class in Class::ALL {
            let number = class as usize;
            let outside = class.tissue() == Some(Tissue::Outside);
            let spread = factor * brightest * between(config.spread, rng);
            let smooth = rng.random::<f32>();
            if class.tissue().is_some_and(|tissue| tissue != Tissue::Background) {
                texture[number] = spread * smooth * if outside { 2.5 } else { 1.0 };
                grain[number] = spread * (1.0 - smooth);
            }
            let two_peaks = config.two_peaks_probability * if outside { 2.5 } else { 1.0 };
            if texture[number] > 0.0 && chance(two_peaks.min(1.0), rng) {
                threshold[number] = between([-0.5, 1.2], rng);
                jump[number] = factor * brightest * 0.25 * normal(rng);
            }
        }
        let spacing = between(config.texture_spacing_mm, rng);
        Self { weighting, mean, texture, grain, threshold, jump, spacing, brightest }
    }

    /// Paints the classes on `shape` voxels of 1 mm.
    pub(super) fn paint(&self, codes: &[u8], shape: [usize; 3], rng: &mut ChaCha8Rng) -> Vec<f32> {
        let [nx, ny, _] = shape;
        let texture = Field::draw(shape, self.spacing, rng);
        let seed: u64 = rng.random();
        let magnitude = self.weighting != Weighting::Susceptibility;
        let mut image = vec![0.0; codes.len()];
        image.par_chunks_mut(nx * ny).zip(codes.par_chunks(nx * ny)).enumerate().for_each(
            |(k, (image, codes))| {
                let mut stream = Stream::new(seed, k);
                let (mut scratch, mut smooth) = (Vec::new(), vec![0.0; nx]);
                let rows = image.chunks_exact_mut(nx).zip(codes.chunks_exact(nx));
                for (j, (values, codes)) in rows.enumerate() {
                    texture.row(j, k, &mut scratch, &mut smooth);
                    for ((value, &code), &smooth) in values.iter_mut().zip(codes).zip(&smooth) {
                        let class = Code(code).class_number();
                        let mut sum = self.mean[class] + self.texture[class] * smooth;
                        if self.grain[class] > 0.0 {
                            sum += self.grain[class] * stream.normal();
                        }
                        if smooth > self.threshold[class] {
                            sum += self.jump[class];
                        }
                        *value = if magnitude { sum.max(0.0) } else { sum };
                    }
                }
            },
        );
        image
    }
}

fn draw_weighting(weights: &[f32; 5], rng: &mut ChaCha8Rng) -> Weighting {
    let mut left = weights.iter().sum::<f32>() * rng.random::<f32>();
    let weightings = [
        Weighting::Any,
        Weighting::T2Star,
        Weighting::T2,
        Weighting::T1,
        Weighting::Susceptibility,
    ];
    for (weighting, weight) in weightings.into_iter().zip(weights) {
        if left < *weight {
            return weighting;
        }
        left -= weight;
    }
    Weighting::Any
}

fn any_means(rng: &mut ChaCha8Rng) -> [f32; Class::COUNT] {
    let mut mean = [0.0; Class::COUNT].map(|_: f32| between([0.05, 1.0], rng));
    mean[Class::Air as usize] = if chance(0.7, rng) { 0.0 } else { between([0.0, 0.3], rng) };
    mean[Class::Unknown as usize] = 0.0;
    mean
}

/// Typical intensities, the contrast between them more or less strong, and each a little off.
fn typical_means(column: usize, rng: &mut ChaCha8Rng) -> [f32; Class::COUNT] {
    let white = TYPICAL[Class::WhiteMatter as usize].1[column];
    let strength = between([0.4, 1.6], rng);
    let off = between([0.01, 0.06], rng);
    let iron = if column == 2 { 0.1 } else { between([0.0, 1.0], rng) };
    let dark_veins = chance(0.6, rng);
    let mut mean = [0.0; Class::COUNT];
    for (class, typical) in TYPICAL {
        let typical = typical[column];
        let inside = class.tissue().is_some_and(|tissue| tissue.is_brain());
        let value = if inside || class == Class::SulcalFluid {
            white + strength * (typical - white) + off * normal(rng)
        } else {
            typical * (1.0 + 3.0 * off * normal(rng))
        };
        mean[class as usize] = value.clamp(0.02, 1.3);
    }
    for class in IRON {
        mean[class as usize] *= (-iron * between([0.0, 1.0], rng)).exp();
    }
    if column == 0 {
        // Fluid is as dark as grey matter or the brightest.
        let fluid = between([-0.1, 0.35], rng);
        for class in [Class::SulcalFluid, Class::LateralVentricle, Class::MiddleVentricle] {
            mean[class as usize] = (mean[class as usize] + fluid).max(0.05);
        }
        mean[Class::Vein as usize] = if dark_veins { between([0.05, 0.4], rng) } else { 0.9 };
    }
    mean[Class::Air as usize] = 0.0;
    mean[Class::Unknown as usize] = 0.0;
    mean
}

fn susceptibilities(rng: &mut ChaCha8Rng) -> [f32; Class::COUNT] {
    let iron = between([0.5, 1.8], rng);
    let off = between([0.003, 0.02], rng);
    let around = if chance(0.5, rng) { 0.0 } else { between([0.02, 0.3], rng) };
    let mut mean = [0.0; Class::COUNT];
    for (class, typical) in TYPICAL {
        let wanders = match class.tissue() {
            Some(Tissue::Outside) => around,
            Some(Tissue::Background) | None => 0.0,
            Some(_) => off,
        };
        let factor = if IRON.contains(&class) { iron * between([0.5, 1.5], rng) } else { 1.0 };
        mean[class as usize] = factor * typical[3] + wanders * normal(rng);
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_classes() {
        assert!(TYPICAL.iter().enumerate().all(|(number, row)| row.0 as usize == number));
    }
}
