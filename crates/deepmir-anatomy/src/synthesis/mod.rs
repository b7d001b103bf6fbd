//! Examples for a network that segments heads of any contrast, drawn from label maps alone.
//!
//! An example is an image that no scanner need ever have made, and the truth of it: the head of a label map is turned,
//! stretched and bent, every class gets an intensity at random, and the result is measured with a random
//! resolution, noise and receive field. A network that has seen enough of them relies on shape alone, so that
//! it works for contrasts that it never saw (Billot et al., "SynthSeg: segmentation of brain MRI scans of any
//! contrast and resolution without retraining", Medical Image Analysis 2023; with skull and without: Hoopes et
//! al., "SynthStrip: skull-stripping for any brain image", NeuroImage 2022). About half of the examples have
//! intensities near those of real contrasts, among them T2*-weighted images with signal loss, veins and
//! haemorrhages, and susceptibility maps.

mod acquisition;
mod class;
mod config;
mod contrast;
mod head;
mod mask;
mod noise;
mod normalise;
mod objects;
mod space;

use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;

pub use class::{Class, Code};
pub use config::{
    AcquisitionConfig, ContrastConfig, MaskConfig, ObjectConfig, SpaceConfig, SynthesisConfig,
};
pub use head::Head;
pub use normalise::{LIMIT, normalise};

use acquisition::Acquisition;
use contrast::{Palette, Weighting};
use noise::{between, chance};
use objects::Scene;
use space::Pose;

use crate::network::VOXEL_MM;

/// The truth where there is none: outside the field of view.
pub const IGNORED: u8 = 255;

/// An image and what it shows, on voxels of 2 mm whose axes run about to the right, front and top.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Voxels along each axis; the first runs fastest in the data.
    pub shape: [usize; 3],
    /// Intensities after [`normalise`].
    pub image: Vec<f32>,
    /// `Tissue as u8`, or [`IGNORED`].
    pub tissue: Vec<u8>,
    /// 1 for left and 2 for right where the tissue has sides and the side is known; 0 elsewhere.
    pub side: Vec<u8>,
}

/// Draws an example. The same head, configuration and state of the generator give the same bits with any number
/// of threads. The configuration is one that [`SynthesisConfig::validate`] accepts.
pub fn draw(head: &Head, config: &SynthesisConfig, rng: &mut ChaCha8Rng) -> Example {
    let fine = config.shape.map(|length| 2 * length);
    let pose = Pose::draw(fine, &config.space, rng);
    let codes = pose.sample(head, fine);
    let palette = Palette::draw(&config.contrast, rng);
    let mut image = palette.paint(&codes, fine, rng);
    let mut scene = Scene { codes: &codes, image: &mut image, shape: fine, palette: &palette };
    scene.add_objects(&config.objects, rng);
    let acquisition = Acquisition::draw(fine, &config.acquisition, rng);
    let signed = palette.weighting == Weighting::Susceptibility;
    let image = acquisition.measure(image, fine, palette.brightest, signed);
    let (tissue, side) = truth(&codes, config.shape);
    let mut example = Example { shape: config.shape, image, tissue, side };
    example.change_intensities(config, &palette, rng);
    let strip = config.mask.strip_probability;
    // Susceptibility is hardly ever shown outside the brain.
    let strip = if signed { strip.sqrt().sqrt() } else { strip };
    example.hide(&config.mask, strip, rng);
    normalise(&mut example.image);
    example
}

impl Example {
    /// Gamma, inversion, and air that is exactly zero.
    fn change_intensities(
        &mut self,
        config: &SynthesisConfig,
        palette: &Palette,
        rng: &mut ChaCha8Rng,
    ) {
        let brightest = palette.brightest;
        let gamma = between(config.contrast.gamma, rng);
        let inverted = chance(config.contrast.inversion_probability, rng);
        let zero_air = chance(config.acquisition.zero_air_probability, rng);
        let least = between([0.03, 0.12], rng);
        let signed = palette.weighting == Weighting::Susceptibility;
        for value in &mut self.image {
            let relative = *value / brightest;
            *value = if signed {
                if inverted { -relative } else { relative }
            } else if zero_air && relative < least {
                0.0
            } else {
                let changed = relative.max(0.0).powf(gamma);
                // Air stays dark: bright air does not occur.
                if inverted && relative >= least { (1.2 - changed).max(0.0) } else { changed }
            };
        }
    }
}

/// The commonest tissue of the eight voxels of 1 mm in each of 2 mm, and its commonest side.
fn truth(codes: &[u8], shape: [usize; 3]) -> (Vec<u8>, Vec<u8>) {
    let [nx, ny, _] = shape;
    let numbers = class::tissue_numbers();
    let mut has_side = [false; 256];
    for tissue in crate::Tissue::ALL {
        has_side[tissue as usize] = tissue.has_sides();
    }
    let (wide, area) = (2 * nx, 4 * nx * ny);
    let mut tissue = vec![0; shape.iter().product()];
    let mut side = vec![0; tissue.len()];
    let slices = tissue.par_chunks_mut(nx * ny).zip(side.par_chunks_mut(nx * ny));
    slices.enumerate().for_each(|(k, (tissue, side))| {
        for (n, (tissue, side)) in tissue.iter_mut().zip(side).enumerate() {
            let corner = 2 * k * area + 2 * (n / nx) * wide + 2 * (n % nx);
            let eight = [0, 1, wide, wide + 1, area, area + 1, area + wide, area + wide + 1]
                .map(|offset| Code(codes[corner + offset]));
            let tissues = eight.map(|code| numbers[code.class_number()]);
            *tissue = commonest(&tissues);
            if has_side[usize::from(*tissue)] {
                let mut counts = [0; 3];
                for (code, of_code) in eight.iter().zip(tissues) {
                    counts[usize::from(code.side_number()).min(2)] += u32::from(of_code == *tissue);
                }
                let [unknown, left, right] = counts;
                *side = if unknown > left.max(right) { 0 } else { 1 + u8::from(right > left) };
            }
        }
    });
    (tissue, side)
}

/// The commonest of eight; the first of those that are equally common.
fn commonest(eight: &[u8; 8]) -> u8 {
    if eight.iter().all(|value| *value == eight[0]) {
        return eight[0];
    }
    let (mut best, mut most) = (eight[0], 0);
    for value in eight {
        let count = eight.iter().filter(|other| *other == value).count();
        if count > most {
            (best, most) = (*value, count);
        }
    }
    best
}

#[cfg(test)]
pub(crate) mod tests;
