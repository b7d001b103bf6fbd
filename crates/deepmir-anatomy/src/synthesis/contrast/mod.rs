//! How bright the classes are.

mod means;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;

use super::class::{Class, Code};
use super::config::ContrastConfig;
use super::noise::{Field, Stream, between, chance, normal};
use crate::Tissue;
use means::{any_means, susceptibilities, typical_means};

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
