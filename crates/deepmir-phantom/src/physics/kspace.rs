//! What a scanner of finite resolution sees of a finely drawn object.

use std::sync::Arc;

use deepmir_recon::fourier::{Columns, Complex32, Fft, forward, frequency, inverse};
use rayon::prelude::*;

/// Keeps the central part of k-space: the signal of a fine grid, summed as complex numbers to the
/// fewer and larger voxels of a scan over the same field of view, with partial volume, dephasing
/// and Gibbs ringing as they are. A constant signal stays the same.
pub struct KSpaceCrop {
    axes: [AxisCrop; 3],
}

impl KSpaceCrop {
    /// From `fine` to `coarse` voxels over one field of view, no axis becoming finer.
    pub fn new(fine: [usize; 3], coarse: [usize; 3]) -> Self {
        Self { axes: std::array::from_fn(|axis| AxisCrop::new(fine[axis], coarse[axis])) }
    }

    /// Reduces `images` volumes at once. `fill(k, slices)` draws slice `k` of every volume on the
    /// fine grid (the first axis running fastest); it is called once a slice, from many threads.
    pub fn reduce(
        &self,
        images: usize,
        fill: impl Fn(usize, &mut [Vec<Complex32>]) + Sync,
    ) -> Vec<Vec<Complex32>> {
        let [x, y, z] = &self.axes;
        let area = x.coarse * y.coarse;
        let slabs: Vec<Vec<Vec<Complex32>>> = (0..z.fine)
            .into_par_iter()
            .map_init(
                || vec![vec![Complex32::default(); x.fine * y.fine]; images],
                |slices, k| {
                    fill(k, slices);
                    slices.iter_mut().map(|slice| self.reduce_slice(slice)).collect()
                },
            )
            .collect();
        (0..images)
            .map(|image| {
                let rows: Vec<&[Complex32]> =
                    slabs.iter().map(|slab| slab[image].as_slice()).collect();
                z.reduce_stack(&rows, area)
            })
            .collect()
    }

    fn reduce_slice(&self, slice: &mut [Complex32]) -> Vec<Complex32> {
        let [x, y, _] = &self.axes;
        let mut narrow = vec![Complex32::default(); x.coarse * y.fine];
        x.reduce_rows(slice, &mut narrow);
        y.reduce_columns(&mut narrow, x.coarse)
    }
}

/// Cycles over the field of view of the `index`-th value of a coarse transform, of which a fine one has more. An even
/// transform has its highest frequency once; between grids it is the negative one.
pub(super) fn cycles(index: usize, coarse: usize, fine: usize) -> f64 {
    let cycles = (f64::from(frequency(index, coarse)) * coarse as f64).round();
    if 2 * index == coarse && fine != coarse { -cycles } else { cycles }
}

/// One axis.
struct AxisCrop {
    fine: usize,
    coarse: usize,
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
    /// For each kept frequency in the order of the coarse transform: where it stands in the fine
    /// one, and the factor that moves samples from the fine grid's first voxel centre to the
    /// coarse grid's.
    kept: Vec<(usize, Complex32)>,
}

impl AxisCrop {
    fn new(fine: usize, coarse: usize) -> Self {
        let shift = 0.5 * fine as f64 / coarse as f64 - 0.5;
        let kept = (0..coarse)
            .map(|index| {
                let cycles = cycles(index, coarse, fine);
                let place = cycles.rem_euclid(fine as f64) as usize % fine;
                let angle = std::f64::consts::TAU * cycles * shift / fine as f64;
                let weight = 1.0 / fine as f64;
                let factor =
                    Complex32::new((angle.cos() * weight) as f32, (angle.sin() * weight) as f32);
                (place, factor)
            })
            .collect();
        Self { fine, coarse, forward: forward(fine), inverse: inverse(coarse), kept }
    }

    /// Each row of `fine` (overwritten) to a row of `coarse`.
    fn reduce_rows(&self, fine: &mut [Complex32], coarse: &mut [Complex32]) {
        let mut scratch =
            vec![
                Complex32::default();
                self.forward.get_inplace_scratch_len().max(self.inverse.get_inplace_scratch_len())
            ];
        self.forward.process_with_scratch(fine, &mut scratch);
        let rows = fine.chunks_exact(self.fine).zip(coarse.chunks_exact_mut(self.coarse));
        for (from, to) in rows {
            for (to, &(place, factor)) in to.iter_mut().zip(&self.kept) {
                *to = from[place] * factor;
            }
        }
        self.inverse.process_with_scratch(coarse, &mut scratch);
    }

    /// Each column of a slice whose rows are `width` long.
    fn reduce_columns(&self, slice: &mut [Complex32], width: usize) -> Vec<Complex32> {
        Columns::new(self.forward.as_ref()).transform(self.forward.as_ref(), slice, width);
        let mut reduced = vec![Complex32::default(); width * self.coarse];
        for (to, &(place, factor)) in reduced.chunks_exact_mut(width).zip(&self.kept) {
            for (to, &from) in to.iter_mut().zip(&slice[place * width..(place + 1) * width]) {
                *to = from * factor;
            }
        }
        Columns::new(self.inverse.as_ref()).transform(self.inverse.as_ref(), &mut reduced, width);
        reduced
    }

    /// Along a stack of `fine` slices of `area` pixels each.
    fn reduce_stack(&self, slices: &[&[Complex32]], area: usize) -> Vec<Complex32> {
        const BLOCK: usize = 256;
        let blocks: Vec<Vec<Complex32>> = (0..area.div_ceil(BLOCK))
            .into_par_iter()
            .map(|block| {
                let start = block * BLOCK;
                let width = BLOCK.min(area - start);
                let mut lines = vec![Complex32::default(); width * self.fine];
                for (k, slice) in slices.iter().enumerate() {
                    for (n, value) in slice[start..start + width].iter().enumerate() {
                        lines[n * self.fine + k] = *value;
                    }
                }
                let mut reduced = vec![Complex32::default(); width * self.coarse];
                self.reduce_rows(&mut lines, &mut reduced);
                reduced
            })
            .collect();
        let mut stack = vec![Complex32::default(); area * self.coarse];
        stack.par_chunks_mut(area).enumerate().for_each(|(k, slice)| {
            for (pixels, block) in slice.chunks_mut(BLOCK).zip(&blocks) {
                for (n, pixel) in pixels.iter_mut().enumerate() {
                    *pixel = block[n * self.coarse + k];
                }
            }
        });
        stack
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by direct summation in double precision: the fine samples' Fourier series, cut to
    /// the frequencies that the coarse grid has, at the coarse voxels' centres.
    fn direct(line: &[f64], coarse: usize, at: usize) -> [f64; 2] {
        let fine = line.len();
        let place = (at as f64 + 0.5) * fine as f64 / coarse as f64 - 0.5;
        let low = -(coarse as i64 / 2);
        let mut sum = [0.0, 0.0];
        for cycles in low..low + coarse as i64 {
            for (n, value) in line.iter().enumerate() {
                let angle =
                    std::f64::consts::TAU * cycles as f64 * (place - n as f64) / fine as f64;
                sum[0] += value * angle.cos() / fine as f64;
                sum[1] += value * angle.sin() / fine as f64;
            }
        }
        sum
    }

    #[test]
    fn the_crop_is_the_truncated_fourier_series_at_the_coarse_centres() {
        let (fine, coarse) = ([12, 10, 9], [7, 6, 3]);
        let line = |axis: usize| -> Vec<f64> {
            (0..fine[axis]).map(|n| ((n * n * (axis + 3)) % 11) as f64 - 4.0).collect()
        };
        let lines = [line(0), line(1), line(2)];
        let crop = KSpaceCrop::new(fine, coarse);
        let images = crop.reduce(1, |k, slices| {
            for (index, value) in slices[0].iter_mut().enumerate() {
                let product = lines[0][index % 12] * lines[1][index / 12] * lines[2][k];
                *value = Complex32::new(product as f32, 0.0);
            }
        });
        for (index, value) in images[0].iter().enumerate() {
            let voxel = [index % 7, index / 7 % 6, index / 42];
            let [mut re, mut im] = [1.0, 0.0];
            for axis in 0..3 {
                let [a, b] = direct(&lines[axis], coarse[axis], voxel[axis]);
                (re, im) = (re * a - im * b, re * b + im * a);
            }
            let error = (f64::from(value.re) - re).hypot(f64::from(value.im) - im);
            assert!(error < 1e-3, "{voxel:?}: {value} and {re} + {im}i");
        }
    }

    #[test]
    fn a_constant_stays_and_equal_sizes_change_nothing() {
        let crop = KSpaceCrop::new([8, 12, 10], [5, 8, 10]);
        let images = crop.reduce(2, |k, slices| {
            slices[0].fill(Complex32::new(0.5, -2.0));
            slices[1].fill(Complex32::new(k as f32, 0.0));
        });
        assert!(images[0].iter().all(|value| (value - Complex32::new(0.5, -2.0)).norm() < 1e-5));
        for (index, value) in images[1].iter().enumerate() {
            assert!((value - Complex32::new((index / 40) as f32, 0.0)).norm() < 1e-4);
        }
    }
}
