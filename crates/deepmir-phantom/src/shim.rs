//! Shimming: what a scanner takes from the field before it measures.

use deepmir_volume::Volume;
use rayon::prelude::*;

use crate::geometry::Geometry;
use crate::paint::Painting;
use crate::physics::polynomial::Polynomial;

/// The shim: the polynomial that fits the field in the brain best, but for a `residual`.
pub(crate) fn shim(
    field: &Volume<f32>,
    painting: &Painting,
    geometry: &Geometry,
    residual: &Polynomial,
) -> Polynomial {
    const STRIDE: usize = 5;
    let start = geometry.fine_in_wide.start();
    let [nx, ny, nz] = geometry.fine.shape();
    let lines = (0..nz).step_by(STRIDE).flat_map(|k| (0..ny).step_by(STRIDE).map(move |j| (j, k)));
    let voxels = lines.flat_map(|(j, k)| (0..nx).step_by(STRIDE).map(move |i| [i, j, k]));
    let samples = voxels.filter_map(|voxel| {
        let wide = std::array::from_fn(|axis| start[axis] + voxel[axis]);
        painting.structures[wide]
            .is_parenchyma()
            .then(|| (geometry.fine.position_mm(voxel), f64::from(field[voxel])))
    });
    let mut shim = Polynomial::fit(samples);
    let parts = shim.coefficients.iter_mut().zip(residual.coefficients);
    parts.for_each(|(coefficient, left)| *coefficient -= left);
    shim
}

/// Takes a polynomial from a field.
pub(crate) fn subtract(field: &mut Volume<f32>, polynomial: &Polynomial) {
    let grid = *field.grid();
    let [nx, ny, _] = grid.shape();
    field.data_mut().par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
        for (j, row) in slice.chunks_exact_mut(nx).enumerate() {
            let [a, b, c] = polynomial.along_row(&grid, j, k);
            for (i, value) in row.iter_mut().enumerate() {
                let i = i as f64;
                *value -= (a + i * (b + i * c)) as f32;
            }
        }
    });
}
