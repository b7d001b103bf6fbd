//! Mean intensities of the classes, drawn near those of real contrasts or at will.

use rand::rngs::ChaCha8Rng;

use super::super::class::Class;
use super::super::noise::{between, chance, normal};
use crate::Tissue;

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

pub(super) fn any_means(rng: &mut ChaCha8Rng) -> [f32; Class::COUNT] {
    let mut mean = [0.0; Class::COUNT].map(|_: f32| between([0.05, 1.0], rng));
    mean[Class::Air as usize] = if chance(0.7, rng) { 0.0 } else { between([0.0, 0.3], rng) };
    mean[Class::Unknown as usize] = 0.0;
    mean
}

/// Typical intensities, the contrast between them more or less strong, and each a little off.
pub(super) fn typical_means(column: usize, rng: &mut ChaCha8Rng) -> [f32; Class::COUNT] {
    let white = TYPICAL[Class::WhiteMatter as usize].1[column];
    let strength = between([0.5, 1.7], rng);
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

pub(super) fn susceptibilities(rng: &mut ChaCha8Rng) -> [f32; Class::COUNT] {
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
