//! What is in a head beside the labels: veins, signal loss near air, lesions.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::class::{Class, Code};
use super::config::ObjectConfig;
use super::contrast::{Palette, Weighting};
use super::noise::{between, chance, normal};
use crate::Tissue;

/// How an object changes the voxels it covers.
#[derive(Clone, Copy)]
enum Effect {
    Multiply(f32),
    Replace(f32),
    Add(f32),
}

impl Effect {
    fn apply(self, value: &mut f32, part: f32) {
        match self {
            Self::Multiply(factor) => *value *= 1.0 - part * (1.0 - factor),
            Self::Replace(other) => *value += part * (other - *value),
            Self::Add(more) => *value += part * more,
        }
    }
}

/// An image on voxels of 1 mm with what is known of it.
pub(super) struct Scene<'a> {
    pub(super) codes: &'a [u8],
    pub(super) image: &'a mut [f32],
    pub(super) shape: [usize; 3],
    pub(super) palette: &'a Palette,
}

impl Scene<'_> {
    /// Draws and paints everything.
    pub(super) fn add_objects(&mut self, config: &ObjectConfig, rng: &mut ChaCha8Rng) {
        if chance(config.vein_probability, rng) {
            let count = rng.random_range(0..=config.veins);
            let effect = self.effect(chance(0.75, rng), rng);
            (0..count).for_each(|_| self.vein(config.vein_radius_mm, effect, rng));
        }
        if chance(config.lesion_probability, rng) {
            let most = if chance(0.3, rng) { config.lesions } else { config.lesions / 5 };
            for _ in 0..rng.random_range(0..=most) {
                // Small ones are the most.
                let part = rng.random::<f32>().powi(3);
                let [least, largest] = config.lesion_radius_mm;
                let effect = self.effect(chance(0.7, rng), rng);
                self.lesion(least + part * (largest - least), effect, rng);
            }
        }
        if chance(config.haemorrhage_probability, rng) {
            let radius = between(config.haemorrhage_radius_mm, rng);
            let effect = self.effect(chance(0.6, rng), rng);
            self.lesion(radius, effect, rng);
        }
        if self.palette.weighting != Weighting::Susceptibility
            && chance(config.void_probability, rng)
        {
            let count = rng.random_range(0..=config.voids);
            (0..count).for_each(|_| self.signal_loss(config.void_radius_mm, rng));
        }
    }

    fn effect(&self, dark: bool, rng: &mut ChaCha8Rng) -> Effect {
        let brightest = self.palette.brightest;
        match (self.palette.weighting, dark) {
            (Weighting::Susceptibility, true) => Effect::Add(brightest * between([0.3, 2.0], rng)),
            (Weighting::Susceptibility, false) => {
                Effect::Add(-brightest * between([0.1, 0.8], rng))
            }
            (_, true) => Effect::Multiply(between([0.0, 0.6], rng)),
            (_, false) => Effect::Replace(brightest * between([0.7, 1.2], rng)),
        }
    }

    /// A voxel of the brain.
    fn place_in_brain(&self, rng: &mut ChaCha8Rng) -> Option<[usize; 3]> {
        (0..200).find_map(|_| {
            let voxel = self.shape.map(|length| rng.random_range(0..length));
            self.tissue(voxel).is_some_and(Tissue::is_brain).then_some(voxel)
        })
    }

    fn index(&self, [x, y, z]: [usize; 3]) -> usize {
        x + self.shape[0] * (y + self.shape[1] * z)
    }

    fn class(&self, voxel: [usize; 3]) -> Class {
        Class::ALL[Code(self.codes[self.index(voxel)]).class_number()]
    }

    fn tissue(&self, voxel: [usize; 3]) -> Option<Tissue> {
        self.class(voxel).tissue()
    }

    /// Applies an effect within `reach` of a place; `part` tells how much from the offset in mm.
    fn within(
        &mut self,
        centre: [f32; 3],
        reach: f32,
        only_brain: bool,
        effect: Effect,
        part: impl Fn([f32; 3]) -> f32,
    ) {
        let first: [usize; 3] =
            std::array::from_fn(|axis| (centre[axis] - reach).ceil().max(0.0) as usize);
        let end: [usize; 3] = std::array::from_fn(|axis| {
            ((centre[axis] + reach).floor() + 1.0).clamp(0.0, self.shape[axis] as f32) as usize
        });
        for z in first[2]..end[2] {
            for y in first[1]..end[1] {
                for x in first[0]..end[0] {
                    let offset = [x as f32 - centre[0], y as f32 - centre[1], z as f32 - centre[2]];
                    let part = part(offset);
                    if part <= 0.0 {
                        continue;
                    }
                    let inside = self
                        .tissue([x, y, z])
                        .is_some_and(|tissue| tissue.is_brain() || tissue == Tissue::SulcalFluid);
                    if inside || !only_brain {
                        let index = self.index([x, y, z]);
                        effect.apply(&mut self.image[index], part.min(1.0));
                    }
                }
            }
        }
    }

    /// A curved tube.
    fn vein(&mut self, radius_mm: [f32; 2], effect: Effect, rng: &mut ChaCha8Rng) {
        let Some(start) = self.place_in_brain(rng) else { return };
        let mut place = start.map(|index| index as f32);
        let mut direction = unit([0.0; 3].map(|_: f32| normal(rng)));
        let turn = between([0.03, 0.25], rng);
        let radius = between(radius_mm, rng);
        // Steps of 1 mm; balls overlap, so each covers only a part of what is to be covered.
        for _ in 0..rng.random_range(10..70) {
            self.within(place, radius + 1.0, true, effect, |offset| {
                (radius + 0.5 - length(offset)).clamp(0.0, 1.0) * 0.6
            });
            direction = unit(direction.map(|part| part + turn * normal(rng)));
            (0..3).for_each(|axis| place[axis] += direction[axis]);
        }
    }

    /// A ball with bumps.
    fn lesion(&mut self, radius: f32, effect: Effect, rng: &mut ChaCha8Rng) {
        let Some(centre) = self.place_in_brain(rng) else { return };
        let waves = [0; 3].map(|_| {
            let direction = unit([0.0; 3].map(|_: f32| normal(rng)));
            (direction, between([1.5, 4.0], rng), between([0.0, 6.3], rng))
        });
        let bumps = between([0.0, 0.25], rng);
        let stretch = [0.0; 3].map(|_: f32| between([0.7, 1.4], rng));
        self.within(centre.map(|index| index as f32), 2.0 * radius + 1.0, true, effect, |offset| {
            let offset: [f32; 3] = std::array::from_fn(|axis| offset[axis] * stretch[axis]);
            let distance = length(offset);
            if distance > 1.8 * radius + 1.0 {
                return 0.0;
            }
            let bump: f32 = waves
                .iter()
                .map(|(direction, frequency, phase)| {
                    let along: f32 = (0..3).map(|axis| direction[axis] * offset[axis]).sum();
                    (frequency * along / radius + phase).sin()
                })
                .sum();
            radius * (1.0 + bumps * bump) + 0.5 - distance
        });
    }

    /// Loss of signal around a place where, below the brain, air or the lining of a sinus is near.
    fn signal_loss(&mut self, radius_mm: [f32; 2], rng: &mut ChaCha8Rng) {
        /// How far below the brain air is looked for.
        const DEPTH_MM: usize = 25;
        let found = (0..30).find_map(|_| {
            let [x, y, z] = self.place_in_brain(rng)?;
            let below = (0..z).rev().find(|&z| {
                !self
                    .tissue([x, y, z])
                    .is_some_and(|tissue| tissue.is_brain() || tissue == Tissue::SulcalFluid)
            })?;
            let lowest = below.saturating_sub(DEPTH_MM);
            let near_air = (lowest..=below)
                .any(|z| matches!(self.class([x, y, z]), Class::Air | Class::Mucosa));
            near_air.then_some([x as f32, y as f32, below as f32])
        });
        let Some(centre) = found else { return };
        let radius = between(radius_mm, rng);
        let stretch = [0.0; 3].map(|_: f32| between([0.6, 1.6], rng));
        let strength = between([0.5, 1.5], rng);
        let effect = Effect::Multiply(0.0);
        self.within(centre, 2.0 * radius, false, effect, |offset| {
            let squared: f32 =
                (0..3).map(|axis| (offset[axis] * stretch[axis] / radius).powi(2)).sum();
            if squared > 4.0 { 0.0 } else { strength * ((-2.0 * squared).exp() - 0.000_34) }
        });
    }
}

fn length(vector: [f32; 3]) -> f32 {
    vector.iter().map(|part| part * part).sum::<f32>().sqrt()
}

fn unit(vector: [f32; 3]) -> [f32; 3] {
    let length = length(vector).max(1e-6);
    vector.map(|part| part / length)
}
