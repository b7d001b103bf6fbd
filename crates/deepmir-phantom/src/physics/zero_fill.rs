//! Between the voxels of a scan: what its k-space says is there.

use std::sync::Arc;

use deepmir_recon::fourier::{Complex32, Fft, forward, inverse};
use rayon::prelude::*;

use super::kspace::cycles;

/// Samples images on finer voxels over the same field of view, by filling their k-space up with zeros. A constant
/// signal stays the same, and [`super::kspace::KSpaceCrop`] gives the image back.
pub struct ZeroFill {
    coarse: [usize; 3],
    axes: [AxisFill; 3],
}

/// Lines that one task transforms.
const LINES: usize = 64;

impl ZeroFill {
    /// From `coarse` to `fine` voxels over one field of view, no axis becoming coarser.
    pub fn new(coarse: [usize; 3], fine: [usize; 3]) -> Self {
        let axes = std::array::from_fn(|axis| AxisFill::new(coarse[axis], fine[axis]));
        Self { coarse, axes }
    }

    /// The fine image of a coarse one, the first axis running fastest.
    ///
    /// # Panics
    /// If the length is wrong.
    pub fn fill(&self, image: &[Complex32]) -> Vec<Complex32> {
        assert_eq!(image.len(), self.coarse.iter().product::<usize>());
        let mut values = image.to_vec();
        let mut shape = self.coarse;
        for (axis, fill) in self.axes.iter().enumerate() {
            values = fill.along(&values, shape, axis);
            shape[axis] = fill.fine;
        }
        values
    }
}

/// One axis.
struct AxisFill {
    coarse: usize,
    fine: usize,
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
    /// For each frequency of the coarse transform: where it stands in the fine one, and the factor that moves samples from
    /// the coarse grid's first voxel centre to the fine grid's.
    places: Vec<(usize, Complex32)>,
}

impl AxisFill {
    fn new(coarse: usize, fine: usize) -> Self {
        let shift = 0.5 * coarse as f64 / fine as f64 - 0.5;
        let places = (0..coarse)
            .map(|index| {
                let cycles = cycles(index, coarse, fine);
                let angle = std::f64::consts::TAU * cycles * shift / coarse as f64;
                let weight = 1.0 / coarse as f64;
                let factor =
                    Complex32::new((angle.cos() * weight) as f32, (angle.sin() * weight) as f32);
                (cycles.rem_euclid(fine as f64) as usize % fine, factor)
            })
            .collect();
        Self { coarse, fine, forward: forward(coarse), inverse: inverse(fine), places }
    }

    /// Every line along an axis of a volume of `shape`.
    fn along(&self, values: &[Complex32], shape: [usize; 3], axis: usize) -> Vec<Complex32> {
        let stride: usize = shape[..axis].iter().product();
        let lines = values.len() / self.coarse;
        // Line n begins at its position in the slab of all lines that share the later axes.
        let start = |line: usize, length: usize| line % stride + line / stride * stride * length;
        let blocks: Vec<Vec<Complex32>> = (0..lines.div_ceil(LINES))
            .into_par_iter()
            .map(|block| {
                let these = block * LINES..(block * LINES + LINES).min(lines);
                let mut coarse = Vec::with_capacity(these.len() * self.coarse);
                for line in these.clone() {
                    let from = start(line, self.coarse);
                    coarse.extend((0..self.coarse).map(|n| values[from + n * stride]));
                }
                let scratch_len = self
                    .forward
                    .get_inplace_scratch_len()
                    .max(self.inverse.get_inplace_scratch_len());
                let mut scratch = vec![Complex32::default(); scratch_len];
                self.forward.process_with_scratch(&mut coarse, &mut scratch);
                let mut fine = vec![Complex32::default(); these.len() * self.fine];
                let pairs = fine.chunks_exact_mut(self.fine).zip(coarse.chunks_exact(self.coarse));
                for (fine, coarse) in pairs {
                    for (&(place, factor), value) in self.places.iter().zip(coarse) {
                        fine[place] = factor * value;
                    }
                }
                self.inverse.process_with_scratch(&mut fine, &mut scratch);
                fine
            })
            .collect();
        let mut filled = vec![Complex32::default(); lines * self.fine];
        for (block, fine) in blocks.iter().enumerate() {
            for (line, fine) in fine.chunks_exact(self.fine).enumerate() {
                let to = start(block * LINES + line, self.fine);
                fine.iter().enumerate().for_each(|(n, &value)| filled[to + n * stride] = value);
            }
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::kspace::KSpaceCrop;

    #[test]
    fn fine_samples_are_those_of_the_wave_and_the_crop_gives_the_image_back() {
        let (coarse, fine) = ([6, 7, 5], [12, 21, 10]);
        // One wave along each axis, sampled at the centres of voxels.
        let wave = |voxel: [usize; 3], shape: [usize; 3]| {
            let turns: f64 = (0..3)
                .map(|axis| {
                    let cycles = [2.0, -3.0, 1.0][axis];
                    cycles * (voxel[axis] as f64 + 0.5) / shape[axis] as f64
                })
                .sum();
            let (sine, cosine) = (std::f64::consts::TAU * turns).sin_cos();
            Complex32::new(1.0 + cosine as f32, sine as f32)
        };
        let sample = |shape: [usize; 3]| -> Vec<Complex32> {
            (0..shape.iter().product())
                .map(|n| {
                    wave([n % shape[0], n / shape[0] % shape[1], n / shape[0] / shape[1]], shape)
                })
                .collect()
        };
        let image = sample(coarse);
        let filled = ZeroFill::new(coarse, fine).fill(&image);
        for (got, want) in filled.iter().zip(sample(fine)) {
            assert!((got - want).norm() < 1e-5);
        }
        let area = fine[0] * fine[1];
        let back = KSpaceCrop::new(fine, coarse).reduce(1, |k, slices| {
            slices[0].copy_from_slice(&filled[k * area..(k + 1) * area]);
        });
        for (got, want) in back[0].iter().zip(image) {
            assert!((got - want).norm() < 1e-5);
        }
    }
}
