//! Measuring an image: resolution, slices, noise, receive field.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;

use super::config::AcquisitionConfig;
use super::noise::{Field, Stream, between, chance};

/// What one voxel is averaged over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    Box,
    Gaussian,
    /// A cut-off in spatial frequency, which makes edges ring.
    CutOff,
}

/// Weighted sums along one axis: for each result, the first voxel and the weights.
#[derive(Clone, Debug)]
struct Sums(Vec<(usize, Vec<f32>)>);

impl Sums {
    /// Averages with a profile of width `width` voxels at the given places.
    fn average(length: usize, places: &[f32], width: f32, profile: Profile) -> Self {
        let reach = match profile {
            Profile::Box => 0.5 * width + 0.5,
            Profile::Gaussian => 1.3 * width,
            Profile::CutOff => 4.0 * width,
        };
        let weight = |offset: f32| match profile {
            // How much of the voxel lies in the box.
            Profile::Box => (0.5 * width + 0.5 - offset.abs()).clamp(0.0, 1.0_f32.min(width)),
            Profile::Gaussian => (-4.0 * 2.0_f32.ln() * (offset / width).powi(2)).exp(),
            Profile::CutOff => {
                let phase = std::f32::consts::PI * offset / width;
                let sinc = if phase.abs() < 1e-3 { 1.0 } else { phase.sin() / phase };
                sinc * (0.5 + 0.5 * (phase / 4.0).cos())
            }
        };
        Self(
            places
                .iter()
                .map(|&place| {
                    let first = ((place - reach).ceil().max(0.0) as usize).min(length - 1);
                    let last = ((place + reach).floor().max(0.0) as usize).min(length - 1);
                    let mut weights: Vec<f32> =
                        (first..=last).map(|voxel| weight(voxel as f32 - place)).collect();
                    let sum: f32 = weights.iter().sum();
                    weights.iter_mut().for_each(|weight| *weight /= sum);
                    (first, weights)
                })
                .collect(),
        )
    }

    /// Straight lines between samples at the given rising places, averaged over pairs of voxels.
    fn pairs(length: usize, places: &[f32]) -> Self {
        Self(
            (0..length / 2)
                .map(|pair| {
                    let ends = [2 * pair, 2 * pair + 1].map(|voxel| {
                        let at = voxel as f32;
                        let after = places.partition_point(|&place| place <= at);
                        let before = after.saturating_sub(1);
                        let after = after.min(places.len() - 1);
                        let gap = places[after] - places[before];
                        let part = if gap > 0.0 { (at - places[before]) / gap } else { 0.0 };
                        (before, after, part.clamp(0.0, 1.0))
                    });
                    let first = ends[0].0;
                    let mut weights = vec![0.0; ends[1].1 - first + 1];
                    for (before, after, part) in ends {
                        weights[before - first] += 0.5 * (1.0 - part);
                        weights[after - first] += 0.5 * part;
                    }
                    (first, weights)
                })
                .collect(),
        )
    }

    /// The sums along an axis, and the new shape.
    fn apply(&self, image: &[f32], shape: [usize; 3], axis: usize) -> (Vec<f32>, [usize; 3]) {
        let mut new = shape;
        new[axis] = self.0.len();
        let (old_area, area) = (shape[0] * shape[1], new[0] * new[1]);
        let mut sums = vec![0.0; new.iter().product()];
        sums.par_chunks_mut(area).enumerate().for_each(|(k, to)| match axis {
            0 => {
                let from = &image[k * old_area..(k + 1) * old_area];
                for (to, from) in to.chunks_exact_mut(new[0]).zip(from.chunks_exact(shape[0])) {
                    for (to, (first, weights)) in to.iter_mut().zip(&self.0) {
                        let values = &from[*first..*first + weights.len()];
                        *to =
                            values.iter().zip(weights).map(|(value, weight)| value * weight).sum();
                    }
                }
            }
            1 => {
                let from = &image[k * old_area..(k + 1) * old_area];
                for (to, (first, weights)) in to.chunks_exact_mut(new[0]).zip(&self.0) {
                    let rows = from[first * shape[0]..].chunks_exact(shape[0]);
                    rows.zip(weights).for_each(|(row, &weight)| add(to, row, weight));
                }
            }
            _ => {
                let (first, weights) = &self.0[k];
                let slices = image[first * old_area..].chunks_exact(old_area);
                slices.zip(weights).for_each(|(slice, &weight)| add(to, slice, weight));
            }
        });
        (sums, new)
    }
}

fn add(to: &mut [f32], from: &[f32], weight: f32) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += weight * from);
}

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
    fn a_ramp_survives_averaging_and_pairs() {
        let shape = [24, 32, 40];
        for axis in 0..3 {
            let stride = [1, 24, 24 * 32][axis];
            let ramp: Vec<f32> =
                (0..24 * 32 * 40).map(|n| (n / stride % shape[axis]) as f32).collect();
            for profile in [Profile::Box, Profile::Gaussian] {
                let resolution = Resolution { width: 3.0, spacing: 3.5, offset: 1.0, profile };
                let places = resolution.places(shape[axis]);
                let (samples, coarse) =
                    Sums::average(shape[axis], &places, 3.0, profile).apply(&ramp, shape, axis);
                let (pairs, half) = Sums::pairs(shape[axis], &places).apply(&samples, coarse, axis);
                assert_eq!(half[axis], shape[axis] / 2);
                let stride: usize = half[..axis].iter().product();
                for n in 4..half[axis] - 4 {
                    let expected = 2.0 * n as f32 + 0.5;
                    assert!((pairs[n * stride] - expected).abs() < 0.05, "{axis} {profile:?} {n}");
                }
            }
        }
    }

    #[test]
    fn the_quick_exponential_is_near() {
        for n in -30..=30 {
            let x = n as f32 / 10.0;
            assert!((quick_exp(x) / x.exp() - 1.0).abs() < 2e-3, "{x}");
        }
    }
}
