//! Averaging and interpolating along one axis.

use rayon::prelude::*;

/// What one voxel is averaged over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    Box,
    Gaussian,
    /// A cut-off in spatial frequency, which makes edges ring.
    CutOff,
}

/// Weighted sums along one axis: for each result, the first voxel and the weights.
#[derive(Clone, Debug)]
pub(super) struct Sums(Vec<(usize, Vec<f32>)>);

impl Sums {
    /// Averages with a profile of width `width` voxels at the given places.
    pub(super) fn average(length: usize, places: &[f32], width: f32, profile: Profile) -> Self {
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
    pub(super) fn pairs(length: usize, places: &[f32]) -> Self {
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
    pub(super) fn apply(
        &self,
        image: &[f32],
        shape: [usize; 3],
        axis: usize,
    ) -> (Vec<f32>, [usize; 3]) {
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
                let count = (shape[axis] - 2) * 2 / 7 + 1;
                let places: Vec<f32> = (0..count).map(|n| 1.0 + 3.5 * n as f32).collect();
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
}
