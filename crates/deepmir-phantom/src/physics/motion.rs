//! Ghosts of a head that moves with the breath.

use deepmir_recon::fourier::{Columns, Complex32, forward, frequency, inverse};
use rayon::prelude::*;

/// A head that sways along the phase-encoding axis (the second) while k-space is read line by
/// line: line k gets the phase 2π·k·d(t), which shows as ghosts along that axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sway {
    /// Largest shift, in voxels.
    pub amplitude_voxels: f64,
    /// Full sways while all lines are read.
    pub cycles: f64,
    /// Where in a sway the scan begins, in radians.
    pub start_rad: f64,
}

impl Sway {
    /// Applies the sway to an image of `shape`, the first axis running fastest.
    pub fn apply(&self, image: &mut [Complex32], shape: [usize; 3]) {
        let [nx, ny, _] = shape;
        let (forward, inverse) = (forward(ny), inverse(ny));
        let factors: Vec<Complex32> = (0..ny).map(|index| self.factor(index, ny)).collect();
        image.par_chunks_mut(nx * ny).for_each(|slice| {
            Columns::new(forward.as_ref()).transform(forward.as_ref(), slice, nx);
            for (row, factor) in slice.chunks_exact_mut(nx).zip(&factors) {
                row.iter_mut().for_each(|value| *value *= factor);
            }
            Columns::new(inverse.as_ref()).transform(inverse.as_ref(), slice, nx);
        });
    }

    /// The factor of a line, with the transform's scale.
    fn factor(&self, index: usize, lines: usize) -> Complex32 {
        let cycles_per_voxel = f64::from(frequency(index, lines));
        // Lines are read from one edge of k-space to the other.
        let time = cycles_per_voxel + 0.5;
        let shift = self.amplitude_voxels
            * (std::f64::consts::TAU * self.cycles * time + self.start_rad).sin();
        let angle = -std::f64::consts::TAU * cycles_per_voxel * shift;
        let scale = 1.0 / lines as f64;
        Complex32::new((scale * angle.cos()) as f32, (scale * angle.sin()) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stillness_changes_nothing_and_swaying_keeps_the_energy() {
        let shape = [3, 16, 2];
        let image: Vec<Complex32> =
            (0..96_u32).map(|n| Complex32::new((n * 31 % 17) as f32, (n % 5) as f32)).collect();
        let mut still = image.clone();
        Sway { amplitude_voxels: 0.0, cycles: 3.0, start_rad: 1.0 }.apply(&mut still, shape);
        assert!(still.iter().zip(&image).all(|(a, b)| (a - b).norm() < 1e-4));
        let mut swaying = image.clone();
        Sway { amplitude_voxels: 2.0, cycles: 3.0, start_rad: 1.0 }.apply(&mut swaying, shape);
        let energy = |image: &[Complex32]| image.iter().map(Complex32::norm_sqr).sum::<f32>();
        assert!((energy(&swaying) / energy(&image) - 1.0).abs() < 1e-4);
        assert!(swaying.iter().zip(&image).any(|(a, b)| (a - b).norm() > 1.0));
    }
}
