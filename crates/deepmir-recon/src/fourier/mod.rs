//! Three-dimensional real Fourier transforms, threaded.
//!
//! A spectrum holds half the frequencies along x (the others are their conjugates) and is laid out
//! for the transforms rather than for reading: z fastest, then x, then y. What is multiplied onto a
//! spectrum is made by [`Fourier::kernel`] in that same layout.

mod lines;

use std::sync::Arc;

use rayon::prelude::*;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::FftPlanner;

pub use lines::{Columns, frequency, good_length};
pub use rustfft::Fft;

use lines::COLUMNS;

/// A complex number of single precision.
pub type Complex32 = Complex<f32>;

/// A plan for the transform of lines of `length` complex numbers, unscaled.
pub fn forward(length: usize) -> Arc<dyn Fft<f32>> {
    FftPlanner::new().plan_fft_forward(length)
}

/// A plan for the inverse of [`forward`], unscaled.
pub fn inverse(length: usize) -> Arc<dyn Fft<f32>> {
    FftPlanner::new().plan_fft_inverse(length)
}

/// Slices along z that one task brings back at a time: one cache line of complex numbers.
const BLOCK: usize = 8;

/// Plans and scratch memory for transforms of one shape.
pub struct Fourier {
    shape: [usize; 3],
    forward_x: Arc<dyn RealToComplex<f32>>,
    inverse_x: Arc<dyn ComplexToReal<f32>>,
    forward_y: Arc<dyn Fft<f32>>,
    inverse_y: Arc<dyn Fft<f32>>,
    forward_z: Arc<dyn Fft<f32>>,
    inverse_z: Arc<dyn Fft<f32>>,
    /// x fastest, then y, then z.
    slices: Vec<Complex32>,
}

impl Fourier {
    /// Plans for volumes of `shape` (any lengths; those of [`good_length`] are fast).
    pub fn new(shape: [usize; 3]) -> Self {
        let [nx, ny, nz] = shape.map(|length| length.max(1));
        let mut real = RealFftPlanner::new();
        let mut complex = FftPlanner::new();
        Self {
            shape: [nx, ny, nz],
            forward_x: real.plan_fft_forward(nx),
            inverse_x: real.plan_fft_inverse(nx),
            forward_y: complex.plan_fft_forward(ny),
            inverse_y: complex.plan_fft_inverse(ny),
            forward_z: complex.plan_fft_forward(nz),
            inverse_z: complex.plan_fft_inverse(nz),
            slices: vec![Complex32::default(); (nx / 2 + 1) * ny * nz],
        }
    }

    /// Voxels along each axis.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Number of voxels.
    pub fn voxel_count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Number of values in a spectrum.
    pub fn spectrum_len(&self) -> usize {
        self.slices.len()
    }

    /// A spectrum of zeros.
    pub fn spectrum(&self) -> Vec<Complex32> {
        vec![Complex32::default(); self.spectrum_len()]
    }

    /// The spectrum of `volume` (x fastest), unscaled.
    ///
    /// # Panics
    /// If a length is wrong.
    pub fn forward(&mut self, volume: &[f32], spectrum: &mut [Complex32]) {
        let [nx, ny, nz] = self.shape;
        let half = nx / 2 + 1;
        assert_eq!((volume.len(), spectrum.len()), (nx * ny * nz, half * ny * nz));
        self.transform_slices(volume);
        let along_z = &self.forward_z;
        let slices = &self.slices;
        spectrum.par_chunks_mut(half * nz).enumerate().for_each_init(
            || vec![Complex32::default(); along_z.get_inplace_scratch_len()],
            |scratch, (y, plane)| {
                for z in 0..nz {
                    let row = &slices[half * (y + ny * z)..][..half];
                    plane[z..].iter_mut().step_by(nz).zip(row).for_each(|(to, &from)| *to = from);
                }
                along_z.process_with_scratch(plane, scratch);
            },
        );
    }

    /// The volume of a spectrum, scaled so that it undoes [`Fourier::forward`]. The spectrum is
    /// used up.
    ///
    /// # Panics
    /// If a length is wrong.
    pub fn inverse(&mut self, spectrum: &mut [Complex32], volume: &mut [f32]) {
        let [nx, ny, nz] = self.shape;
        let half = nx / 2 + 1;
        assert_eq!((volume.len(), spectrum.len()), (nx * ny * nz, half * ny * nz));
        let along_z = &self.inverse_z;
        spectrum.par_chunks_mut(half * nz).for_each_init(
            || vec![Complex32::default(); along_z.get_inplace_scratch_len()],
            |scratch, plane| along_z.process_with_scratch(plane, scratch),
        );
        let spectrum = &*spectrum;
        self.slices.par_chunks_mut(half * ny * BLOCK).enumerate().for_each(|(block, slices)| {
            let first = block * BLOCK;
            let depth = slices.len() / (half * ny);
            for (place, column) in spectrum.chunks_exact(nz).enumerate() {
                for (z, &value) in column[first..first + depth].iter().enumerate() {
                    slices[z * half * ny + place] = value;
                }
            }
        });
        self.restore_slices(volume);
    }

    /// `value` of every frequency of a spectrum, in its layout. Frequencies are in cycles a voxel,
    /// from −1/2 to 1/2.
    pub fn kernel(&self, value: impl Fn([f32; 3]) -> f32 + Sync) -> Vec<f32> {
        let [nx, ny, nz] = self.shape;
        let half = nx / 2 + 1;
        let mut kernel = vec![0.0; self.spectrum_len()];
        kernel.par_chunks_mut(half * nz).enumerate().for_each(|(y, plane)| {
            for (x, column) in plane.chunks_exact_mut(nz).enumerate() {
                for (z, to) in column.iter_mut().enumerate() {
                    *to = value([x as f32 / nx as f32, frequency(y, ny), frequency(z, nz)]);
                }
            }
        });
        kernel
    }

    /// Convolves in place with a kernel given by its spectrum.
    pub fn filter(&mut self, volume: &mut [f32], kernel: &[f32]) {
        let mut spectrum = self.spectrum();
        self.forward(volume, &mut spectrum);
        multiply(&mut spectrum, kernel);
        self.inverse(&mut spectrum, volume);
    }

    /// Multiplies the spectrum of a volume by a function of frequency (cycles a voxel, −1/2 to 1/2)
    /// that is the same for a frequency and its negative. The transform along z, the product and the
    /// way back are one pass, and neither spectrum nor kernel needs memory of its own.
    ///
    /// # Panics
    /// If the length is wrong.
    pub fn filter_with(&mut self, volume: &mut [f32], response: impl Fn([f32; 3]) -> f32 + Sync) {
        let [nx, ny, nz] = self.shape;
        assert_eq!(volume.len(), nx * ny * nz);
        self.transform_slices(volume);
        let half = nx / 2 + 1;
        let mut bands: Vec<Vec<&mut [Complex32]>> = (0..ny).map(|_| Vec::new()).collect();
        for slice in self.slices.chunks_exact_mut(half * ny) {
            for (band, row) in bands.iter_mut().zip(slice.chunks_exact_mut(half)) {
                band.push(row);
            }
        }
        let frequencies_z: Vec<f32> = (0..nz).map(|k| frequency(k, nz)).collect();
        let (forward, inverse) = (&self.forward_z, &self.inverse_z);
        let scratch_len = forward.get_inplace_scratch_len().max(inverse.get_inplace_scratch_len());
        bands.par_iter_mut().enumerate().for_each(|(j, band)| {
            let fy = frequency(j, ny);
            let mut scratch = vec![Complex32::default(); scratch_len];
            let mut lines = vec![Complex32::default(); COLUMNS * nz];
            for start in (0..half).step_by(COLUMNS) {
                let width = COLUMNS.min(half - start);
                for (k, row) in band.iter().enumerate() {
                    for (n, value) in row[start..start + width].iter().enumerate() {
                        lines[n * nz + k] = *value;
                    }
                }
                for (n, line) in lines.chunks_exact_mut(nz).take(width).enumerate() {
                    let fx = (start + n) as f32 / nx as f32;
                    forward.process_with_scratch(line, &mut scratch);
                    for (value, &fz) in line.iter_mut().zip(&frequencies_z) {
                        *value *= response([fx, fy, fz]);
                    }
                    inverse.process_with_scratch(line, &mut scratch);
                }
                for (k, row) in band.iter_mut().enumerate() {
                    for (n, value) in row[start..start + width].iter_mut().enumerate() {
                        *value = lines[n * nz + k];
                    }
                }
            }
        });
        self.restore_slices(volume);
    }

    /// The transform along x and y, into `slices`.
    fn transform_slices(&mut self, volume: &[f32]) {
        let [nx, ny, _] = self.shape;
        let half = nx / 2 + 1;
        let (along_x, along_y) = (&self.forward_x, &self.forward_y);
        self.slices.par_chunks_mut(half * ny).zip(volume.par_chunks(nx * ny)).for_each_init(
            || {
                let columns = Columns::new(along_y.as_ref());
                (along_x.make_input_vec(), along_x.make_scratch_vec(), columns)
            },
            |(row, scratch, columns), (slice, values)| {
                for (to, from) in slice.chunks_exact_mut(half).zip(values.chunks_exact(nx)) {
                    row.copy_from_slice(from);
                    // Fails on wrong lengths only, and these come from the plan.
                    let _ = along_x.process_with_scratch(row, to, scratch);
                }
                columns.transform(along_y.as_ref(), slice, half);
            },
        );
    }

    /// Back from `slices`, scaled.
    fn restore_slices(&mut self, volume: &mut [f32]) {
        let [nx, ny, nz] = self.shape;
        let half = nx / 2 + 1;
        let (along_x, along_y) = (&self.inverse_x, &self.inverse_y);
        let scale = 1.0 / (nx * ny * nz) as f32;
        self.slices.par_chunks_mut(half * ny).zip(volume.par_chunks_mut(nx * ny)).for_each_init(
            || (along_x.make_scratch_vec(), Columns::new(along_y.as_ref())),
            |(scratch, columns), (slice, values)| {
                columns.transform(along_y.as_ref(), slice, half);
                for (from, to) in slice.chunks_exact_mut(half).zip(values.chunks_exact_mut(nx)) {
                    // A real signal's constant and highest frequency have no imaginary part; what
                    // rounding left there would be refused.
                    from[0].im = 0.0;
                    if nx % 2 == 0 {
                        from[half - 1].im = 0.0;
                    }
                    let _ = along_x.process_with_scratch(from, to, scratch);
                    to.iter_mut().for_each(|value| *value *= scale);
                }
            },
        );
    }
}

/// Multiplies a spectrum by a kernel.
pub fn multiply(spectrum: &mut [Complex32], kernel: &[f32]) {
    spectrum.par_iter_mut().zip(kernel).for_each(|(value, &factor)| *value *= factor);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values without symmetry.
    fn some_volume(shape: [usize; 3]) -> Vec<f32> {
        let count: usize = shape.iter().product();
        (0..count).map(|n| ((n * 7919 + 13) % 1009) as f32 / 1009.0 - 0.4).collect()
    }

    #[test]
    fn the_transform_is_the_sum_of_waves() {
        for shape in [[6, 5, 9], [5, 4, 3], [8, 1, 10], [1, 3, 1]] {
            let mut fourier = Fourier::new(shape);
            let volume = some_volume(shape);
            let mut spectrum = fourier.spectrum();
            fourier.forward(&volume, &mut spectrum);
            let [nx, ny, nz] = shape;
            for (place, value) in spectrum.iter().enumerate() {
                let (kz, kx, ky) =
                    (place % nz, place / nz % (nx / 2 + 1), place / nz / (nx / 2 + 1));
                let mut want = Complex::new(0.0_f64, 0.0);
                for (n, &v) in volume.iter().enumerate() {
                    let (x, y, z) = (n % nx, n / nx % ny, n / nx / ny);
                    let turns = (kx * x) as f64 / nx as f64
                        + (ky * y) as f64 / ny as f64
                        + (kz * z) as f64 / nz as f64;
                    want += Complex::from_polar(f64::from(v), -std::f64::consts::TAU * turns);
                }
                let apart = (want - Complex::new(f64::from(value.re), f64::from(value.im))).norm();
                assert!(apart < 1e-4, "{shape:?} at {place}: {value} for {want}");
            }
        }
    }

    #[test]
    fn the_inverse_undoes_the_transform() {
        for shape in [[12, 10, 9], [7, 16, 20], [2, 2, 1], [40, 18, 17]] {
            let mut fourier = Fourier::new(shape);
            let volume = some_volume(shape);
            let mut spectrum = fourier.spectrum();
            let mut back = vec![0.0; volume.len()];
            fourier.forward(&volume, &mut spectrum);
            fourier.inverse(&mut spectrum, &mut back);
            assert!(volume.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-5), "{shape:?}");
        }
    }

    #[test]
    fn filters_given_by_functions_and_by_kernels_agree() {
        let shape = [12, 10, 7];
        let mut fourier = Fourier::new(shape);
        let response = |[x, y, z]: [f32; 3]| 1.0 + x * y - 2.0 * y * z;
        let (mut one, mut other) = (some_volume(shape), some_volume(shape));
        let kernel = fourier.kernel(response);
        fourier.filter(&mut one, &kernel);
        fourier.filter_with(&mut other, response);
        assert!(one.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-6));
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
        Fourier::new([nx, ny, nz]).filter_with(&mut data, response);
        let factor = response([2.0 / 12.0, -0.3, 0.125]);
        for (index, value) in data.iter().enumerate() {
            assert!((value - factor * wave(index)).abs() < 1e-4);
        }
    }
}
