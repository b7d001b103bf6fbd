//! Measuring an image: resolution, slices, noise, receive field.

mod sums;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;

use super::config::AcquisitionConfig;
use super::noise::{Field, Stream, between, chance};
use sums::{Profile, Sums};

/// Resolution along one axis, in voxels of 1 mm.
#[derive(Clone, Copy, Debug)]
struct Resolution {
    width: f32,
    spacing: f32,
    offset: f32,
    profile: Profile,
}

impl Resolution {
    /// Whether the voxels of 1 mm are kept as they are.
    fn is_fine(&self) -> bool {
        self.width < 1.2 && self.spacing < 1.2
    }

    fn places(&self, length: usize) -> Vec<f32> {
        if self.is_fine() {
            return (0..length).map(|voxel| voxel as f32).collect();
        }
        let count = ((length as f32 - 1.0 - self.offset) / self.spacing) as usize + 1;
        (0..count).map(|n| self.offset + n as f32 * self.spacing).collect()
    }
}

/// A drawn way of measuring.
pub(super) struct Acquisition {
    axes: [Resolution; 3],
    noise: f32,
    bias: Option<(Field, f32)>,
    seed: u64,
}

impl Acquisition {
    /// Draws for an image of `shape` voxels of 1 mm.
    pub(super) fn draw(
        shape: [usize; 3],
        config: &AcquisitionConfig,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let in_plane = between(config.in_plane_mm, rng);
        let profile = if chance(config.ringing_probability, rng) {
            Profile::CutOff
        } else {
            Profile::Gaussian
        };
        let mut resolve = |width: f32, spacing: f32, profile| {
            let spacing = spacing.max(1.0);
            Resolution { width, spacing, offset: between([0.0, spacing.min(8.0)], rng), profile }
        };
        let mut axes = [0; 3].map(|_| resolve(in_plane, in_plane, profile));
        if chance(config.thick_probability, rng) {
            let axis = [2, 2, 2, 1, 0][rng.random_range(0..5_usize)];
            let thickness = between(config.thickness_mm, rng);
            let spacing = (thickness * between(config.spacing, rng)).max(1.0);
            let offset = between([0.0, spacing.min(8.0)], rng);
            let profile = if chance(0.5, rng) { Profile::Box } else { Profile::Gaussian };
            axes[axis] = Resolution { width: thickness, spacing, offset, profile };
        }
        let [least, most] = config.noise;
        let least = least.max(1e-4);
        let noise = least * (most.max(least) / least).powf(rng.random());
        let strength = between(config.bias, rng);
        let spacing = between(config.bias_spacing_mm, rng);
        let bias = (strength > 0.02).then(|| (Field::draw(shape, spacing, rng), strength));
        Self { axes, noise, bias, seed: rng.random() }
    }

    /// Measures an image on voxels of 1 mm and brings it to voxels of 2 mm. `signed` images have no magnitude noise and
    /// no receive field.
    pub(super) fn measure(
        &self,
        mut image: Vec<f32>,
        mut shape: [usize; 3],
        brightest: f32,
        signed: bool,
    ) -> Vec<f32> {
        let fine = shape;
        if let Some((field, strength)) = self.bias.as_ref().filter(|_| !signed) {
            shade(&mut image, shape, field, *strength);
        }
        let places: [Vec<f32>; 3] = std::array::from_fn(|axis| self.axes[axis].places(fine[axis]));
        for axis in [2, 1, 0] {
            let resolution = self.axes[axis];
            if !resolution.is_fine() {
                let width = resolution.width.max(0.5);
                let sums = Sums::average(fine[axis], &places[axis], width, resolution.profile);
                (image, shape) = sums.apply(&image, shape, axis);
            }
        }
        let deviation = self.noise * brightest;
        image.par_chunks_mut(shape[0] * shape[1]).enumerate().for_each(|(k, slice)| {
            let mut stream = Stream::new(self.seed, k);
            for value in slice {
                *value += deviation * stream.normal();
                if !signed {
                    *value = value.hypot(deviation * stream.normal());
                }
            }
        });
        for axis in [2, 1, 0] {
            let sums = Sums::pairs(fine[axis], &places[axis]);
            (image, shape) = sums.apply(&image, shape, axis);
        }
        image
    }
}

/// Multiplies by the exponential of a smooth field.
fn shade(image: &mut [f32], shape: [usize; 3], field: &Field, strength: f32) {
    let [nx, ny, _] = shape;
    image.par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
        let (mut scratch, mut row) = (Vec::new(), vec![0.0; nx]);
        for (j, values) in slice.chunks_exact_mut(nx).enumerate() {
            field.row(j, k, &mut scratch, &mut row);
            for (value, logarithm) in values.iter_mut().zip(&row) {
                *value *= quick_exp(strength * logarithm);
            }
        }
    });
}

/// The exponential to about 0.1 % from -4 to 4.
#[inline]
fn quick_exp(value: f32) -> f32 {
    let value = value.clamp(-4.0, 4.0);
    let x = 1.0 + value / 64.0 + value * value / 8192.0;
    let x = x * x;
    let x = x * x;
    let x = x * x;
    let x = x * x;
    let x = x * x;
    x * x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_exponential_is_near() {
        for n in -30..=30 {
            let x = n as f32 / 10.0;
            assert!((quick_exp(x) / x.exp() - 1.0).abs() < 2e-3, "{x}");
        }
    }
}
