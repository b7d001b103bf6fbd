//! Gaussian smoothing.

use rayon::prelude::*;

use crate::Volume;

/// Full width at half maximum of a Gaussian of unit standard deviation, 2·√(2·ln 2).
pub const FWHM_PER_SIGMA: f64 = 2.354_820_045_030_949_3;

/// Smooths by a Gaussian of the given standard deviation in millimetres along each voxel axis
/// (0 leaves an axis as it is). The kernel reaches four standard deviations; past the edges the
/// image is mirrored, so a constant image stays constant.
pub fn smooth(volume: &Volume<f32>, sigma_mm: [f64; 3]) -> Volume<f32> {
    let spacing = volume.grid().voxel_sizes_mm();
    let mut result = volume.clone();
    for axis in 0..3 {
        let sigma = sigma_mm[axis] / spacing[axis];
        if sigma > 0.0 && volume.shape()[axis] > 1 {
            result = along(&result, axis, &kernel(sigma));
        }
    }
    result
}

/// Weights from the centre outwards, for a standard deviation in voxels.
fn kernel(sigma: f64) -> Vec<f32> {
    let reach = (4.0 * sigma + 0.5) as usize;
    let weight = |n: usize| (-0.5 * (n as f64 / sigma).powi(2)).exp();
    let sum: f64 = weight(0) + 2.0 * (1..=reach).map(weight).sum::<f64>();
    (0..=reach).map(|n| (weight(n) / sum) as f32).collect()
}

fn along(volume: &Volume<f32>, axis: usize, kernel: &[f32]) -> Volume<f32> {
    let [nx, ny, nz] = volume.shape();
    let mut result = Volume::filled(*volume.grid(), 0.0);
    let data = volume.data();
    result.data_mut().par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| match axis {
        0 => {
            let mut padded = vec![0.0; nx + 2 * (kernel.len() - 1)];
            for (to, from) in slice.chunks_exact_mut(nx).zip(volume.slice(k).chunks_exact(nx)) {
                smooth_row(to, from, kernel, &mut padded);
            }
        }
        1 => {
            let row = |j: usize| &volume.slice(k)[j * nx..(j + 1) * nx];
            for (j, to) in slice.chunks_exact_mut(nx).enumerate() {
                mix_rows(to, kernel, |offset| row(mirrored(j as isize + offset, ny)));
            }
        }
        _ => {
            let area = nx * ny;
            mix_rows(slice, kernel, |offset| {
                let from = mirrored(k as isize + offset, nz);
                &data[from * area..(from + 1) * area]
            });
        }
    });
    result
}

/// One row along x, through a copy with mirrored ends.
fn smooth_row(to: &mut [f32], from: &[f32], kernel: &[f32], padded: &mut [f32]) {
    let reach = kernel.len() - 1;
    for (n, value) in padded.iter_mut().enumerate() {
        *value = from[mirrored(n as isize - reach as isize, from.len())];
    }
    mix_rows(to, kernel, |offset| &padded[(reach as isize + offset) as usize..][..from.len()]);
}

/// `to` becomes the weighted sum of rows at offsets −reach to reach.
fn mix_rows<'a>(to: &mut [f32], kernel: &[f32], row: impl Fn(isize) -> &'a [f32]) {
    to.iter_mut().zip(row(0)).for_each(|(to, &from)| *to = kernel[0] * from);
    for (offset, &weight) in kernel.iter().enumerate().skip(1) {
        let (before, after) = (row(-(offset as isize)), row(offset as isize));
        for ((to, &before), &after) in to.iter_mut().zip(before).zip(after) {
            *to += weight * (before + after);
        }
    }
}

/// An index mirrored on the outer faces of the outermost voxels.
fn mirrored(index: isize, length: usize) -> usize {
    let length = length as isize;
    let wrapped = index.rem_euclid(2 * length);
    wrapped.min(2 * length - 1 - wrapped) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, Grid};

    #[test]
    fn a_point_becomes_a_gaussian_of_the_asked_width_and_keeps_its_sum() {
        let grid =
            Grid::new([41, 43, 31], Affine::from_spacing([0.5, 0.5, 1.0], [0.0; 3])).unwrap();
        let mut point = Volume::filled(grid, 0.0);
        point[[20, 21, 15]] = 1.0;
        let blob = smooth(&point, [1.0, 1.0, 1.5]);
        let sum: f64 = blob.data().iter().map(|&value| f64::from(value)).sum();
        assert!((sum - 1.0).abs() < 1e-5);
        for (axis, sigma_mm) in [1.0, 1.0, 1.5].into_iter().enumerate() {
            let centre = grid.position_mm([20, 21, 15])[axis];
            let variance: f64 = (0..grid.len())
                .map(|index| {
                    let place = grid.position_mm(grid.voxel(index))[axis];
                    f64::from(blob.data()[index]) * (place - centre).powi(2)
                })
                .sum();
            assert!((variance.sqrt() / sigma_mm - 1.0).abs() < 0.01, "axis {axis}");
        }
    }

    #[test]
    fn constants_stay_even_where_the_kernel_is_wider_than_the_image() {
        let grid = Grid::new([3, 4, 2], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let smooth = smooth(&Volume::filled(grid, 7.0), [9.0; 3]);
        assert!(smooth.data().iter().all(|value| (value - 7.0).abs() < 1e-4));
    }
}
