//! Means of a fine grid over the voxels of a coarser one with the same field of view.

use deepmir_volume::{Grid, Volume};
use rayon::prelude::*;

/// The mean of `fine` over every voxel of `coarse`, each fine voxel counted by the part of it that
/// lies inside. Both grids cover the same box, along the same axes.
pub fn average(fine: &Volume<f32>, coarse: &Grid) -> Volume<f32> {
    average_of(fine.shape(), coarse, |k, slice| slice.copy_from_slice(fine.slice(k)))
}

/// As [`average`], for values made slice by slice: `fill(k, slice)` writes fine slice `k`.
pub fn average_of(
    fine: [usize; 3],
    coarse: &Grid,
    fill: impl Fn(usize, &mut [f32]) + Sync,
) -> Volume<f32> {
    let shape = coarse.shape();
    let shares: [Vec<Share>; 3] = std::array::from_fn(|axis| shares(fine[axis], shape[axis]));
    let mut result = Volume::filled(*coarse, 0.0_f32);
    let slices = result.data_mut().par_chunks_mut(shape[0] * shape[1]).enumerate();
    slices.for_each(|(k, slice)| {
        let mut drawn = vec![0.0; fine[0] * fine[1]];
        let mut narrow = vec![0.0; shape[0]];
        for &(from, weight_z) in &shares[2][k] {
            fill(from, &mut drawn);
            for (row, share) in slice.chunks_exact_mut(shape[0]).zip(&shares[1]) {
                for &(from, weight_y) in share {
                    let line = &drawn[from * fine[0]..(from + 1) * fine[0]];
                    for (to, share) in narrow.iter_mut().zip(&shares[0]) {
                        *to = share.iter().map(|&(from, weight)| weight * line[from]).sum();
                    }
                    let weight = weight_y * weight_z;
                    row.iter_mut().zip(&narrow).for_each(|(to, from)| *to += weight * from);
                }
            }
        }
    });
    result
}

/// The fine voxels that a coarse one holds parts of, with weights that add up to one.
pub(crate) type Share = Vec<(usize, f32)>;

/// For every coarse voxel of an axis, its share of the fine ones.
pub(crate) fn shares(fine: usize, coarse: usize) -> Vec<Share> {
    let size = fine as f64 / coarse as f64;
    (0..coarse)
        .map(|index| {
            let (start, end) = (index as f64 * size, (index + 1) as f64 * size);
            let last = (end.ceil() as usize).min(fine);
            (start as usize..last)
                .filter_map(|n| {
                    let part = (end.min(n as f64 + 1.0) - start.max(n as f64)) / size;
                    (part > 1e-9).then_some((n, part as f32))
                })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use deepmir_volume::Affine;

    use super::*;

    #[test]
    fn means_are_kept_where_voxels_do_not_divide() {
        let fine = Grid::new([9, 10, 6], Affine::from_spacing([0.5; 3], [0.0; 3])).unwrap();
        let drawn = Volume::from_fn(fine, |[i, j, k]| (i * i + 3 * j + 7 * k % 5) as f32);
        let coarse = fine.with_spacing([4.5 / 4.0, 5.0 / 3.0, 1.0]).unwrap();
        let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
        let averaged = average(&drawn, &coarse);
        assert_eq!(averaged.shape(), [4, 3, 3]);
        assert!((mean(averaged.data()) - mean(drawn.data())).abs() < 1e-4);
    }
}
