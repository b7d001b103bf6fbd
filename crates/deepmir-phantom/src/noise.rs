//! Smooth random functions of place.

use deepmir_recon::fourier::Fourier;
use deepmir_volume::Grid;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A Gaussian random field of unit variance that repeats every [`Noise::period_mm`], with its
/// gradient.
#[derive(Clone, Debug)]
pub(crate) struct Noise {
    size: usize,
    spacing_mm: f64,
    /// Value and gradient (a millimetre) at each lattice point.
    values: Vec<[f32; 4]>,
}

impl Noise {
    /// A field whose spatial frequencies lie around one wave in `wavelength_mm`, within the part
    /// `bandwidth` of it (standard deviation). Its zero set is a labyrinth of lines (surfaces in
    /// space) about half a wavelength apart.
    pub(crate) fn banded(
        wavelength_mm: f64,
        bandwidth: f64,
        size: usize,
        spacing_mm: f64,
        generator: &mut ChaCha8Rng,
    ) -> Self {
        Self::with_response(size, spacing_mm, generator, |cycles_per_mm| {
            let relative = f64::from(cycles_per_mm) * wavelength_mm - 1.0;
            (-0.5 * (relative / bandwidth).powi(2)).exp() as f32
        })
    }

    /// A field smoothed by a Gaussian of standard deviation `sigma_mm`.
    pub(crate) fn smooth(
        sigma_mm: f64,
        size: usize,
        spacing_mm: f64,
        generator: &mut ChaCha8Rng,
    ) -> Self {
        Self::with_response(size, spacing_mm, generator, |cycles_per_mm| {
            let radians = std::f64::consts::TAU * f64::from(cycles_per_mm);
            (-0.5 * (radians * sigma_mm).powi(2)).exp() as f32
        })
    }

    fn with_response(
        size: usize,
        spacing_mm: f64,
        generator: &mut ChaCha8Rng,
        response: impl Fn(f32) -> f32 + Sync,
    ) -> Self {
        let mut field: Vec<f32> =
            (0..size.pow(3)).map(|_| StandardNormal.sample(generator)).collect();
        Fourier::new([size; 3]).filter_with(&mut field, |[x, y, z]| {
            let radius = (x * x + y * y + z * z).sqrt();
            // The mean would be an offset that differs from draw to draw.
            if radius == 0.0 { 0.0 } else { response(radius / spacing_mm as f32) }
        });
        let count = field.len() as f64;
        let square: f64 = field.iter().map(|&value| f64::from(value).powi(2)).sum();
        let scale = 1.0 / (square / count).sqrt().max(1e-30) as f32;
        let at = |i: usize, j: usize, k: usize| {
            scale * field[i % size + size * (j % size + size * (k % size))]
        };
        let step = 0.5 / spacing_mm as f32;
        let values = (0..field.len())
            .map(|index| {
                let (i, j, k) = (index % size, index / size % size, index / (size * size));
                let before = size - 1;
                [
                    at(i, j, k),
                    step * (at(i + 1, j, k) - at(i + before, j, k)),
                    step * (at(i, j + 1, k) - at(i, j + before, k)),
                    step * (at(i, j, k + 1) - at(i, j, k + before)),
                ]
            })
            .collect();
        Self { size, spacing_mm, values }
    }

    /// Value and gradient at a place, interpolated linearly.
    pub(crate) fn at(&self, place_mm: [f64; 3]) -> [f64; 4] {
        let size = self.size as f64;
        let lattice = place_mm.map(|mm| (mm / self.spacing_mm).rem_euclid(size));
        let low = lattice.map(|index| index as usize % self.size);
        let part: [f32; 3] = std::array::from_fn(|axis| lattice[axis].fract() as f32);
        let mut sum = [0.0_f32; 4];
        for corner in 0..8_usize {
            let mut weight = 1.0;
            let mut index = [0; 3];
            for axis in 0..3 {
                let up = corner >> axis & 1;
                weight *= if up == 1 { part[axis] } else { 1.0 - part[axis] };
                index[axis] = (low[axis] + up) % self.size;
            }
            let value = &self.values[index[0] + self.size * (index[1] + self.size * index[2])];
            sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight * value);
        }
        sum.map(f64::from)
    }

    /// The value alone.
    pub(crate) fn value(&self, place_mm: [f64; 3]) -> f64 {
        self.at(place_mm)[0]
    }

    /// Values along the row `(·, j, k)` of a grid, computed at every fourth voxel and linear
    /// between: the noise must vary slowly from voxel to voxel.
    pub(crate) fn row(&self, grid: &Grid, j: usize, k: usize, row: &mut [f32]) {
        const STRIDE: usize = 4;
        let at = |i: usize| self.value(grid.position_mm([i, j, k])) as f32;
        let mut start = at(0);
        for (block, values) in row.chunks_mut(STRIDE).enumerate() {
            let end = at((block + 1) * STRIDE);
            for (n, value) in values.iter_mut().enumerate() {
                *value = start + (end - start) * n as f32 / STRIDE as f32;
            }
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};

    #[test]
    fn variance_is_one_and_it_repeats() {
        let noise = Noise::banded(16.0, 0.2, 32, 2.0, &mut stream(1, Purpose::Texture, 0));
        let values: Vec<f64> = noise.values.iter().map(|value| f64::from(value[0])).collect();
        let variance = values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64;
        assert!((variance - 1.0).abs() < 1e-4);
        let here = noise.value([5.0, -7.0, 11.0]);
        let there = noise.value([5.0 + 64.0, -7.0 - 64.0, 11.0]);
        assert!((here - there).abs() < 1e-5);
    }
}
