//! Filters in the spatial-frequency domain of real volumes.

use std::sync::Arc;

use rayon::prelude::*;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

/// Multiplies the spectrum of real volumes of one shape by real even functions.
///
/// Half the spectrum is kept (the other half mirrors it). The transform along the third axis, the
/// product and the way back are one pass over the data, so a filter costs five passes.
pub struct SpectrumFilter {
    shape: [usize; 3],
    forward_x: Arc<dyn RealToComplex<f32>>,
    inverse_x: Arc<dyn ComplexToReal<f32>>,
    forward_y: Arc<dyn Fft<f32>>,
    inverse_y: Arc<dyn Fft<f32>>,
    forward_z: Arc<dyn Fft<f32>>,
    inverse_z: Arc<dyn Fft<f32>>,
}

impl SpectrumFilter {
    /// Plans the transforms for volumes of `shape`, the first axis running fastest. Sizes whose
    /// factors are small ([`good_size`]) are several times faster than others.
    pub fn new(shape: [usize; 3]) -> Self {
        let mut real = RealFftPlanner::new();
        let mut complex = FftPlanner::new();
        Self {
            shape,
            forward_x: real.plan_fft_forward(shape[0]),
            inverse_x: real.plan_fft_inverse(shape[0]),
            forward_y: complex.plan_fft_forward(shape[1]),
            inverse_y: complex.plan_fft_inverse(shape[1]),
            forward_z: complex.plan_fft_forward(shape[2]),
            inverse_z: complex.plan_fft_inverse(shape[2]),
        }
    }

    /// Filters `data` in place. `response` gets frequencies in cycles a voxel (−½ to ½) and must
    /// be even: the same for a frequency and its negative.
    ///
    /// # Panics
    /// If `data` does not fill the shape.
    pub fn apply(&self, data: &mut [f32], response: impl Fn([f32; 3]) -> f32 + Sync) {
        let [nx, ny, nz] = self.shape;
        assert_eq!(data.len(), nx * ny * nz, "the data fill the shape that was planned");
        let half = nx / 2 + 1;
        let mut spectrum = vec![Complex32::default(); half * ny * nz];
        let slices = spectrum.par_chunks_mut(half * ny).zip(data.par_chunks_mut(nx * ny));
        slices.for_each(|(spectrum, slice)| {
            let mut scratch = self.forward_x.make_scratch_vec();
            for (row, to) in slice.chunks_exact_mut(nx).zip(spectrum.chunks_exact_mut(half)) {
                // The lengths are those of the plan.
                let _ = self.forward_x.process_with_scratch(row, to, &mut scratch);
            }
            columns(spectrum, half, ny, self.forward_y.as_ref());
        });
        self.filter_along_z(&mut spectrum, half, &response);
        let scale = 1.0 / (nx * ny * nz) as f32;
        let slices = spectrum.par_chunks_mut(half * ny).zip(data.par_chunks_mut(nx * ny));
        slices.for_each(|(spectrum, slice)| {
            let mut scratch = self.inverse_x.make_scratch_vec();
            columns(spectrum, half, ny, self.inverse_y.as_ref());
            for (row, from) in slice.chunks_exact_mut(nx).zip(spectrum.chunks_exact_mut(half)) {
                // Rounding leaves specks in the parts that are real by symmetry.
                from[0].im = 0.0;
                if nx.is_multiple_of(2) {
                    from[half - 1].im = 0.0;
                }
                let _ = self.inverse_x.process_with_scratch(from, row, &mut scratch);
                row.iter_mut().for_each(|value| *value *= scale);
            }
        });
    }

    fn filter_along_z(
        &self,
        spectrum: &mut [Complex32],
        half: usize,
        response: &(impl Fn([f32; 3]) -> f32 + Sync),
    ) {
        let [nx, ny, nz] = self.shape;
        let mut bands: Vec<Vec<&mut [Complex32]>> = (0..ny).map(|_| Vec::new()).collect();
        for slice in spectrum.chunks_exact_mut(half * ny) {
            for (band, row) in bands.iter_mut().zip(slice.chunks_exact_mut(half)) {
                band.push(row);
            }
        }
        let frequencies_z: Vec<f32> = (0..nz).map(|k| frequency(k, nz)).collect();
        bands.par_iter_mut().enumerate().for_each(|(j, band)| {
            let fy = frequency(j, ny);
            let mut scratch = vec![
                Complex32::default();
                self.forward_z
                    .get_inplace_scratch_len()
                    .max(self.inverse_z.get_inplace_scratch_len())
            ];
            let mut lines = vec![Complex32::default(); BLOCK * nz];
            for start in (0..half).step_by(BLOCK) {
                let width = BLOCK.min(half - start);
                for (k, row) in band.iter().enumerate() {
                    for (n, value) in row[start..start + width].iter().enumerate() {
                        lines[n * nz + k] = *value;
                    }
                }
                for (n, line) in lines.chunks_exact_mut(nz).take(width).enumerate() {
                    let fx = (start + n) as f32 / nx as f32;
                    self.forward_z.process_with_scratch(line, &mut scratch);
                    for (value, &fz) in line.iter_mut().zip(&frequencies_z) {
                        *value *= response([fx, fy, fz]);
                    }
                    self.inverse_z.process_with_scratch(line, &mut scratch);
                }
                for (k, row) in band.iter_mut().enumerate() {
                    for (n, value) in row[start..start + width].iter_mut().enumerate() {
                        *value = lines[n * nz + k];
                    }
                }
            }
        });
    }
}

/// Columns transformed together: eight complex numbers fill a cache line.
const BLOCK: usize = 16;

/// Transforms every column of a slice of rows of `width`, in place.
pub(crate) fn columns(slice: &mut [Complex32], width: usize, height: usize, fft: &dyn Fft<f32>) {
    let mut scratch = vec![Complex32::default(); fft.get_inplace_scratch_len()];
    let mut lines = vec![Complex32::default(); BLOCK * height];
    for start in (0..width).step_by(BLOCK) {
        let count = BLOCK.min(width - start);
        for (j, row) in slice.chunks_exact(width).enumerate() {
            for (n, value) in row[start..start + count].iter().enumerate() {
                lines[n * height + j] = *value;
            }
        }
        fft.process_with_scratch(&mut lines[..count * height], &mut scratch);
        for (j, row) in slice.chunks_exact_mut(width).enumerate() {
            for (n, value) in row[start..start + count].iter_mut().enumerate() {
                *value = lines[n * height + j];
            }
        }
    }
}

/// The frequency, in cycles a voxel, of entry `index` of a transform of `length`.
pub(crate) fn frequency(index: usize, length: usize) -> f32 {
    let signed = if index <= length / 2 { index as f64 } else { index as f64 - length as f64 };
    (signed / length as f64) as f32
}

/// The smallest even size of at least `least` whose prime factors are 2, 3, 5 and 7.
pub fn good_size(least: usize) -> usize {
    let smooth = |size: &usize| {
        let mut rest = *size;
        for factor in [2_usize, 3, 5, 7] {
            while rest.is_multiple_of(factor) {
                rest /= factor;
            }
        }
        rest == 1
    };
    (least.max(2).next_multiple_of(2)..).step_by(2).find(smooth).unwrap_or(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_sizes_are_even_and_smooth() {
        let wanted = [(1, 2), (352, 360), (416, 420), (332, 336), (128, 128), (211, 216)];
        for (least, size) in wanted {
            assert_eq!(good_size(least), size);
        }
    }

    #[test]
    fn the_response_one_changes_nothing() {
        let shape = [10, 9, 7];
        let data: Vec<f32> = (0..630_u32).map(|n| (n.wrapping_mul(7919) % 101) as f32).collect();
        let mut filtered = data.clone();
        SpectrumFilter::new(shape).apply(&mut filtered, |_| 1.0);
        for (got, want) in filtered.iter().zip(&data) {
            assert!((got - want).abs() < 1e-4);
        }
    }

    #[test]
    fn a_wave_is_scaled_by_the_response_at_its_frequency() {
        let [nx, ny, nz] = [12, 10, 8];
        let wave = |index: usize| {
            let (i, j, k) = (index % nx, index / nx % ny, index / (nx * ny));
            let turns =
                2.0 * i as f32 / nx as f32 - 3.0 * j as f32 / ny as f32 + k as f32 / nz as f32;
            (std::f32::consts::TAU * turns).cos()
        };
        let mut data: Vec<f32> = (0..nx * ny * nz).map(wave).collect();
        let response = |[x, y, z]: [f32; 3]| 1.0 + x * y - 2.0 * y * z;
        SpectrumFilter::new([nx, ny, nz]).apply(&mut data, response);
        let factor = response([2.0 / 12.0, -0.3, 0.125]);
        for (index, value) in data.iter().enumerate() {
            assert!((value - factor * wave(index)).abs() < 1e-4);
        }
    }
}
