//! Linear inversion of the total field.

use deepmir_volume::statistics;
use rayon::prelude::*;

use super::trend::Trend;
use super::{BackgroundInput, LocalField, masked};
use crate::conjugate_gradients::solve_from;
use crate::dipole::dipole_kernel;
use crate::fourier::Fourier;
use crate::padding::{Padding, voxels_in};

/// Room around the image for sources outside it, millimetres.
const MARGIN_MM: f64 = 20.0;
/// Quality of the field from which a voxel is ordinary tissue; at zero it is a lesion or blood.
const TISSUE_QUALITY: f32 = 0.5;
/// Magnitude over the brain's median from which a voxel outside holds tissue and not bone or air.
const TISSUE_MAGNITUDE: f32 = 0.5;
/// Squared deviation of the field's noise where its quality is 1, ppm².
const NOISE_PPM2: f32 = 1e-6;
/// Voxels of coarser grids are at most this large, millimetres.
const COARSE_MM: f64 = 3.2;
/// Steps on a coarser grid, over those on the next finer one.
const COARSE_STEPS: usize = 4;

/// Standard deviations of the susceptibility that is expected, ppm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub(super) tissue_ppm: f32,
    pub(super) lesion_ppm: f32,
    pub(super) surroundings_ppm: f32,
    pub(super) air_ppm: f32,
}

/// Fits the total field, weighted, by sources everywhere, as large as is expected where they lie, and a
/// polynomial of second order; takes off what the sources outside the mask and the polynomial make.
pub(super) fn tfi(input: &BackgroundInput, expected: Expected, iterations: usize) -> LocalField {
    let total = masked(input.total_field_ppm, input.mask);
    let padding = Padding::new(total.grid(), voxels_in(total.grid(), MARGIN_MM));
    let inside = padding.pad(input.mask, false);
    let quality = padding.pad(&masked(input.weights, input.mask), 0.0).into_data();
    let problem = Problem {
        shape: padding.grid().shape(),
        sizes_mm: padding.grid().voxel_sizes_mm(),
        b0_direction: input.b0_direction,
        prior: prior(input, &padding, inside.data(), &quality, expected),
        weights: quality.iter().map(|quality| quality * quality).collect(),
        field: padding.pad(&total, 0.0).into_data(),
    };
    let Some(Solution { mut sources, mut fourier, dipole, trend }) = problem.solve(iterations)
    else {
        // Nothing is trusted.
        return LocalField { field_ppm: total, mask: input.mask.clone() };
    };
    let outside = problem.prior.par_iter().zip(inside.data());
    sources.par_iter_mut().zip(outside).for_each(|(source, (&prior, &inside))| {
        *source = if inside { 0.0 } else { *source * prior };
    });
    fourier.filter(&mut sources, &dipole);
    let mut local = problem.field;
    local.par_iter_mut().zip(&sources).for_each(|(value, &background)| *value -= background);
    trend.remove(&mut local, &problem.weights);
    let field_ppm = masked(&padding.crop_data(&local), input.mask);
    LocalField { field_ppm, mask: input.mask.clone() }
}

/// The deviation that is expected of every padded voxel. Beyond what is given of the magnitude it goes on
/// as at the edge: a head that is cut off there has tissue beyond.
fn prior(
    input: &BackgroundInput,
    padding: &Padding,
    inside: &[bool],
    quality: &[f32],
    expected: Expected,
) -> Vec<f32> {
    let magnitude = padding.extend(input.magnitude);
    let in_mask = input.magnitude.data().iter().zip(input.mask.data());
    let mut values: Vec<f32> =
        in_mask.filter(|(_, inside)| **inside).map(|(&value, _)| value).collect();
    let typical = statistics::median(&mut values).unwrap_or(0.0);
    let voxels = inside.par_iter().zip(quality).zip(magnitude.data());
    voxels
        .map(|((&inside, &quality), &magnitude)| {
            if inside {
                let lesion = (1.0 - quality / TISSUE_QUALITY).clamp(0.0, 1.0);
                expected.tissue_ppm + (expected.lesion_ppm - expected.tissue_ppm) * lesion
            } else if magnitude > TISSUE_MAGNITUDE * typical {
                expected.surroundings_ppm
            } else {
                expected.air_ppm
            }
        })
        .collect()
}

/// Minimises ‖W(DPy + polynomial − f)‖² + σ²‖y‖² over y, the sources in units of what is expected (P).
struct Problem {
    shape: [usize; 3],
    sizes_mm: [f64; 3],
    b0_direction: [f64; 3],
    /// P.
    prior: Vec<f32>,
    /// W².
    weights: Vec<f32>,
    /// f.
    field: Vec<f32>,
}

/// What solves a problem, and what it was solved with.
struct Solution {
    /// y.
    sources: Vec<f32>,
    fourier: Fourier,
    /// D.
    dipole: Vec<f32>,
    trend: Trend,
}

impl Problem {
    /// Conjugate gradients, starting from the solution on a coarser grid, where steps cost little and
    /// the field of far sources looks the same. `None` if no voxel has a weight.
    fn solve(&self, iterations: usize) -> Option<Solution> {
        let start = match self.coarser() {
            Some((coarse, factors)) => {
                let sources = coarse.solve(COARSE_STEPS * iterations)?.sources;
                refined(&sources, coarse.shape, factors)
            }
            None => vec![0.0; self.field.len()],
        };
        let trend = Trend::new(self.shape, &self.weights)?;
        let mut fourier = Fourier::new(self.shape);
        let dipole = dipole_kernel(&fourier, self.sizes_mm, self.b0_direction);
        let scale = |values: &mut [f32]| {
            values.par_iter_mut().zip(&self.prior).for_each(|(value, &prior)| *value *= prior);
        };
        let mut right = self.field.clone();
        trend.remove_and_weigh(&mut right, &self.weights);
        fourier.filter(&mut right, &dipole);
        scale(&mut right);
        let sources = solve_from(start, &right, iterations, 1e-4, |sources, applied| {
            applied.copy_from_slice(sources);
            scale(applied);
            fourier.filter(applied, &dipole);
            trend.remove_and_weigh(applied, &self.weights);
            fourier.filter(applied, &dipole);
            scale(applied);
            let sources = sources.par_iter();
            applied.par_iter_mut().zip(sources).for_each(|(to, &from)| *to += NOISE_PPM2 * from);
        });
        Some(Solution { sources, fourier, dipole, trend })
    }

    /// The same with every second voxel along the axes that stay below [`COARSE_MM`]; how many voxels
    /// became one along each axis. `None` if that is no axis.
    fn coarser(&self) -> Option<(Self, [usize; 3])> {
        let factors: [usize; 3] = std::array::from_fn(|axis| {
            let fits = 2.0 * self.sizes_mm[axis] <= COARSE_MM;
            if fits && self.shape[axis].is_multiple_of(2) { 2 } else { 1 }
        });
        let count: usize = factors.iter().product();
        if count == 1 {
            return None;
        }
        let shape: [usize; 3] = std::array::from_fn(|axis| self.shape[axis] / factors[axis]);
        let mean = |value: &(dyn Fn(usize) -> f32 + Sync)| blocks(self.shape, factors, value);
        let weights = mean(&|voxel| self.weights[voxel]);
        let mut field = mean(&|voxel| self.weights[voxel] * self.field[voxel]);
        field.par_iter_mut().zip(&weights).for_each(|(value, &weight)| {
            *value = if weight > 0.0 { *value / weight } else { 0.0 };
        });
        let mut prior = mean(&|voxel| self.prior[voxel] * self.prior[voxel]);
        prior.par_iter_mut().for_each(|value| *value = value.sqrt());
        let sizes_mm = std::array::from_fn(|axis| self.sizes_mm[axis] * factors[axis] as f64);
        let b0_direction = self.b0_direction;
        Some((Self { shape, sizes_mm, b0_direction, prior, weights, field }, factors))
    }
}

/// Means of `value` over blocks of `factors` voxels.
fn blocks(
    shape: [usize; 3],
    factors: [usize; 3],
    value: &(dyn Fn(usize) -> f32 + Sync),
) -> Vec<f32> {
    let [nx, ny, nz]: [usize; 3] = std::array::from_fn(|axis| shape[axis] / factors[axis]);
    let scale = 1.0 / factors.iter().product::<usize>() as f32;
    let mut means = vec![0.0_f32; nx * ny * nz];
    means.par_chunks_mut(nx).enumerate().for_each(|(row, means)| {
        let (j, k) = (row % ny * factors[1], row / ny * factors[2]);
        for (i, mean) in means.iter_mut().enumerate() {
            for dk in 0..factors[2] {
                for dj in 0..factors[1] {
                    let start = i * factors[0] + shape[0] * (j + dj + shape[1] * (k + dk));
                    *mean += (start..start + factors[0]).map(value).sum::<f32>();
                }
            }
            *mean *= scale;
        }
    });
    means
}

/// Every voxel of a coarse grid repeated over its block.
fn refined(coarse: &[f32], shape: [usize; 3], factors: [usize; 3]) -> Vec<f32> {
    let [nx, ny, nz] = shape;
    let width = nx * factors[0];
    let height = ny * factors[1];
    let mut fine = vec![0.0_f32; width * height * nz * factors[2]];
    fine.par_chunks_mut(width).enumerate().for_each(|(row, values)| {
        let (j, k) = (row % height / factors[1], row / height / factors[2]);
        let from = &coarse[nx * (j + ny * k)..][..nx];
        for (value, i) in values.iter_mut().zip(0..) {
            *value = from[i / factors[0]];
        }
    });
    fine
}
