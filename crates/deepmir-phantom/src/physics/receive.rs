//! What the receiver adds: sensitivity, a phase offset, noise.

use deepmir_recon::fourier::Complex32;
use deepmir_volume::Grid;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::polynomial::Polynomial;
use crate::random::{Purpose, stream};

/// The coil-combined channel.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Receiver {
    /// Logarithm of the sensitivity.
    pub log_sensitivity: Polynomial,
    /// Phase at echo time zero, in radians.
    pub phase_offset_rad: Polynomial,
    /// Standard deviation of the noise in the real and in the imaginary part.
    pub noise: f64,
}

impl Receiver {
    /// Multiplies by sensitivity and phase offset and adds complex Gaussian noise. The noise
    /// depends on `seed`, `purpose` and `image` alone.
    pub fn receive(
        &self,
        signal: &mut [Complex32],
        grid: &Grid,
        seed: u64,
        purpose: Purpose,
        image: u32,
    ) {
        let [nx, ny, _] = grid.shape();
        signal.par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
            let mut generator = stream(seed, purpose, image << 16 | (k as u32 & 0xffff));
            for (j, row) in slice.chunks_exact_mut(nx).enumerate() {
                let sensitivity = self.log_sensitivity.along_row(grid, j, k);
                let phase = self.phase_offset_rad.along_row(grid, j, k);
                for (i, value) in row.iter_mut().enumerate() {
                    let at = |c: [f64; 3]| (c[0] + i as f64 * (c[1] + i as f64 * c[2])) as f32;
                    let (sine, cosine) = at(phase).sin_cos();
                    let gain = at(sensitivity).exp();
                    *value *= Complex32::new(gain * cosine, gain * sine);
                    let mut normal = || -> f64 { StandardNormal.sample(&mut generator) };
                    value.re += (self.noise * normal()) as f32;
                    value.im += (self.noise * normal()) as f32;
                }
            }
        });
    }
}
