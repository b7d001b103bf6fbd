//! The field in a box of a large head, without computing the whole head finely.

use deepmir_recon::fourier::good_length;
use deepmir_volume::{Affine, Grid, Interpolation, Volume, VolumeError, resample};
use rayon::prelude::*;

use super::dipole::dipole_field;

/// How many fine voxels a voxel of the surroundings measures.
pub const SURROUNDINGS_FACTOR: usize = 4;

/// The field in ppm that `chi_ppm` and everything around it make.
///
/// The fine transform takes its box to repeat on all sides. What the repeats add and what the rest
/// of the head would add are both smooth inside the box, so they are found on voxels four times as
/// large: once for the wide surroundings, twice the box along every axis, and once for the
/// repeating box; the difference corrects the fine field.
///
/// `surroundings` is asked for the susceptibility on the wide grid (inside the box its answer is
/// replaced by averages of `chi_ppm`). The axes of `chi_ppm` must be multiples of
/// [`SURROUNDINGS_FACTOR`]; `b0_direction` is along the voxel axes.
///
/// # Errors
/// If the wide grid would be too large.
///
/// # Panics
/// If an axis is no multiple of [`SURROUNDINGS_FACTOR`].
pub fn field_with_surroundings(
    chi_ppm: &Volume<f32>,
    surroundings: impl FnOnce(&Grid) -> Volume<f32>,
    b0_direction: [f64; 3],
) -> Result<Volume<f32>, VolumeError> {
    let coarse = averaged(chi_ppm)?;
    let (wide_grid, start) = wide_grid(coarse.grid())?;
    let mut wide = surroundings(&wide_grid);
    let [nx, ny, nz] = coarse.shape();
    for k in 0..nz {
        for j in 0..ny {
            let to = wide_grid.index([start[0], start[1] + j, start[2] + k]);
            let from = coarse.grid().index([0, j, k]);
            wide.data_mut()[to..to + nx].copy_from_slice(&coarse.data()[from..from + nx]);
        }
    }
    let wide_field = dipole_field(&wide, b0_direction);
    drop(wide);
    let mut correction = dipole_field(&coarse, b0_direction);
    for (index, value) in correction.data_mut().iter_mut().enumerate() {
        let [i, j, k] = coarse.grid().voxel(index);
        *value = wide_field[[start[0] + i, start[1] + j, start[2] + k]] - *value;
    }
    drop(wide_field);
    let mut field = dipole_field(chi_ppm, b0_direction);
    let correction = resample(&correction, chi_ppm.grid(), Interpolation::Linear, 0.0);
    field
        .data_mut()
        .par_iter_mut()
        .zip(correction.data())
        .for_each(|(field, correction)| *field += correction);
    Ok(field)
}

/// The size of at least `least` voxels that suits both the transform and the averaging.
pub fn box_size(least: usize) -> usize {
    SURROUNDINGS_FACTOR * good_length(least.div_ceil(SURROUNDINGS_FACTOR))
}

/// Means over cubes of [`SURROUNDINGS_FACTOR`] voxels.
fn averaged(fine: &Volume<f32>) -> Result<Volume<f32>, VolumeError> {
    const FACTOR: usize = SURROUNDINGS_FACTOR;
    let [nx, ny, nz] = fine.shape();
    assert!([nx, ny, nz].iter().all(|n| n.is_multiple_of(FACTOR)), "whole cubes of voxels");
    let shape = [nx / FACTOR, ny / FACTOR, nz / FACTOR];
    let middle = (FACTOR as f64 - 1.0) / 2.0;
    let mut matrix = *fine.grid().affine().shifted([middle; 3]).matrix();
    (0..3).for_each(|axis| matrix.column_mut(axis).scale_mut(FACTOR as f64));
    let affine = Affine::from_matrix(matrix).unwrap_or(*fine.grid().affine());
    let mut coarse = Volume::filled(Grid::new(shape, affine)?, 0.0_f32);
    let scale = 1.0 / (FACTOR * FACTOR * FACTOR) as f32;
    coarse.data_mut().par_chunks_mut(shape[0] * shape[1]).enumerate().for_each(|(k, slice)| {
        for from in FACTOR * k..FACTOR * (k + 1) {
            for (j, row) in fine.slice(from).chunks_exact(nx).enumerate() {
                let to = &mut slice[j / FACTOR * shape[0]..][..shape[0]];
                for (to, cubes) in to.iter_mut().zip(row.chunks_exact(FACTOR)) {
                    *to += scale * cubes.iter().sum::<f32>();
                }
            }
        }
    });
    Ok(coarse)
}

/// A grid twice as large around `inner`, on the same lattice, and where `inner` starts in it.
fn wide_grid(inner: &Grid) -> Result<(Grid, [usize; 3]), VolumeError> {
    let shape = inner.shape().map(|length| good_length(2 * length));
    let start: [usize; 3] = std::array::from_fn(|axis| (shape[axis] - inner.shape()[axis]) / 2);
    let affine = inner.affine().shifted(start.map(|index| -(index as f64)));
    Ok((Grid::new(shape, affine)?, start))
}
