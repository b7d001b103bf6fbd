//! Back to the image's own voxels.

use deepmir_volume::{Grid, Volume};
use rayon::prelude::*;

use super::{Probabilities, most_probable};

/// Tissue and side on a grid, the probabilities being interpolated between voxel centres. Outside the field that was
/// read is background.
pub(super) fn labels(found: &Probabilities, grid: &Grid) -> (Volume<u8>, Volume<u8>) {
    let source = found.values.grid();
    let map = source.affine().inverse().after(grid.affine());
    let step = map.apply_direction([1.0, 0.0, 0.0]);
    let shape = source.shape();
    let coarse = found.labels();
    let [nx, ny, _] = grid.shape();
    let mut tissue = Volume::filled(*grid, 0_u8);
    let mut side = Volume::filled(*grid, 0_u8);
    let slices =
        tissue.data_mut().par_chunks_mut(nx * ny).zip(side.data_mut().par_chunks_mut(nx * ny));
    slices.enumerate().for_each(|(k, (tissues, sides))| {
        let rows = tissues.chunks_exact_mut(nx).zip(sides.chunks_exact_mut(nx));
        for (j, (tissues, sides)) in rows.enumerate() {
            let start = map.apply([0.0, j as f64, k as f64]);
            for (i, (tissue, side)) in tissues.iter_mut().zip(sides).enumerate() {
                let at: [f64; 3] = std::array::from_fn(|axis| start[axis] + step[axis] * i as f64);
                let outside =
                    (0..3).any(|axis| at[axis] < -0.5 || at[axis] > shape[axis] as f64 - 0.5);
                if outside {
                    continue;
                }
                let at: [f64; 3] =
                    std::array::from_fn(|axis| at[axis].clamp(0.0, shape[axis] as f64 - 1.0));
                let low = at.map(|index| index as usize);
                let high: [usize; 3] =
                    std::array::from_fn(|axis| (low[axis] + 1).min(shape[axis] - 1));
                let corner = |bits: usize| {
                    let voxel = std::array::from_fn(|axis| {
                        if bits >> axis & 1 == 1 { high[axis] } else { low[axis] }
                    });
                    source.index(voxel)
                };
                let corners: [usize; 8] = std::array::from_fn(corner);
                let of = |index: usize| (coarse.tissue.data()[index], coarse.side.data()[index]);
                let first = of(corners[0]);
                // Between voxels that agree there is nothing to weigh.
                if corners.iter().all(|&index| of(index) == first) {
                    (*tissue, *side) = first;
                    continue;
                }
                let mut sum = [0.0_f32; 16];
                for (bits, &index) in corners.iter().enumerate() {
                    let weight: f64 = (0..3)
                        .map(|axis| {
                            let part = at[axis] - low[axis] as f64;
                            if bits >> axis & 1 == 1 { part } else { 1.0 - part }
                        })
                        .product();
                    let values = &found.values.data()[index];
                    sum.iter_mut().zip(values).for_each(|(sum, p)| *sum += weight as f32 * p);
                }
                (*tissue, *side) = most_probable(&sum);
            }
        }
    });
    (tissue, side)
}
