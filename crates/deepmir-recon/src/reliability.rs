//! Where the field can be believed.

use deepmir_volume::components::{Connectivity, components};
use deepmir_volume::morphology::{dilate_mm, fill_holes, largest_component, not};
use deepmir_volume::{Mask, Volume, statistics};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::phase::FieldFit;

/// What counts as unreliable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReliabilityConfig {
    /// Residual of the phase fit, in radians, at which a voxel's weight has fallen to e^(−1/2).
    pub residual_rad: f32,
    /// Weight below which a voxel at the brain's edge is dropped.
    pub edge_weight: f32,
    /// How deep from the brain's edge unreliable voxels are dropped, millimetres.
    pub edge_depth_mm: f32,
    /// Weight below which a voxel deeper inside counts as void, its field as unknown.
    pub void_weight: f32,
}

impl Default for ReliabilityConfig {
    fn default() -> Self {
        Self { residual_rad: 0.2, edge_weight: 0.3, edge_depth_mm: 12.0, void_weight: 0.1 }
    }
}

/// The quality of the field, 0 to 1: its precision (in units of the brain's median, at most 1) times
/// a Gaussian of the residual. Zero outside the mask.
pub fn field_quality(fit: &FieldFit, mask: &Mask, config: &ReliabilityConfig) -> Volume<f32> {
    let inside = fit.precision.data().iter().zip(mask.data()).filter(|(_, inside)| **inside);
    let mut precisions: Vec<f32> = inside.map(|(&value, _)| value).collect();
    let typical = statistics::median(&mut precisions).unwrap_or(0.0).max(f32::MIN_POSITIVE);
    let mut quality = Volume::filled(*mask.grid(), 0.0_f32);
    let scale = -0.5 / (config.residual_rad * config.residual_rad).max(1e-12);
    quality.data_mut().par_iter_mut().enumerate().for_each(|(voxel, value)| {
        if mask.data()[voxel] {
            let precision = (fit.precision.data()[voxel] / typical).min(1.0);
            let residual = fit.residual_rad.data()[voxel];
            *value = precision * (scale * residual * residual).exp();
        }
    });
    quality
}

/// Reach of the mean that fills voids, in voxels, and its standard deviation.
const FILL_REACH: usize = 3;
const FILL_SIGMA: f32 = 1.5;

/// Gives voids (voxels inside the mask whose quality is below `void_weight`: lesions without signal)
/// the mean of the field around them, weighted by quality and distance, so that noise there does not
/// spread through background removal. Their weights stay as low as they are.
pub fn fill_voids(
    field: &mut Volume<f32>,
    mask: &Mask,
    quality: &Volume<f32>,
    config: &ReliabilityConfig,
) {
    let grid = *mask.grid();
    let is_void =
        |voxel: &usize| mask.data()[*voxel] && quality.data()[*voxel] < config.void_weight;
    let voids: Vec<usize> = (0..grid.len()).filter(is_void).collect();
    let known = &*field;
    let filled: Vec<(usize, f32)> = voids
        .par_iter()
        .filter_map(|&voxel| Some((voxel, mean_around(known, quality, grid.voxel(voxel))?)))
        .collect();
    for (voxel, value) in filled {
        field.data_mut()[voxel] = value;
    }
}

fn mean_around(field: &Volume<f32>, quality: &Volume<f32>, at: [usize; 3]) -> Option<f32> {
    let shape = field.shape();
    let span = |axis: usize| {
        at[axis].saturating_sub(FILL_REACH)..(at[axis] + FILL_REACH + 1).min(shape[axis])
    };
    let (mut sum, mut weights) = (0.0, 0.0);
    for k in span(2) {
        for j in span(1) {
            for i in span(0) {
                let apart = [i.abs_diff(at[0]), j.abs_diff(at[1]), k.abs_diff(at[2])];
                let square: usize = apart.iter().map(|steps| steps * steps).sum();
                let near = (-0.5 * square as f32 / (FILL_SIGMA * FILL_SIGMA)).exp();
                let weight = near * quality[[i, j, k]];
                sum += weight * field[[i, j, k]];
                weights += weight;
            }
        }
    }
    (weights > 1e-3).then(|| sum / weights)
}

/// The mask without the unreliable voxels that hang together with its outside and lie within
/// `edge_depth_mm` of it (sinuses, bone, drop-out); unreliable voxels deeper inside (lesions, veins)
/// stay, with their low weights.
pub fn reliable_mask(mask: &Mask, quality: &Volume<f32>, config: &ReliabilityConfig) -> Mask {
    let mut bad = Volume::filled(*mask.grid(), false);
    let outside = not(mask);
    let near = dilate_mm(&outside, config.edge_depth_mm);
    bad.data_mut().par_iter_mut().enumerate().for_each(|(voxel, bad)| {
        let doubtful = quality.data()[voxel] < config.edge_weight && near.data()[voxel];
        *bad = !mask.data()[voxel] || doubtful;
    });
    // Pockets that the outside does not reach are lesions near the edge, not the edge.
    let mut kept = not(&bad);
    for pocket in components(&bad, false, Connectivity::Six) {
        if pocket.voxels.iter().all(|&voxel| mask.data()[voxel]) {
            pocket.voxels.iter().for_each(|&voxel| kept.data_mut()[voxel] = true);
        }
    }
    fill_holes(&largest_component(&kept, Connectivity::Six))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Grid};

    #[test]
    fn a_void_takes_the_field_around_it_and_the_rest_stays() {
        let grid = Grid::new([9, 9, 9], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let slope = |[i, j, _]: [usize; 3]| 0.1 * i as f32 - 0.2 * j as f32;
        let void = |voxel: [usize; 3]| voxel == [4, 4, 4] || voxel == [4, 5, 4];
        let mut field = Volume::from_fn(grid, |voxel| if void(voxel) { 7.0 } else { slope(voxel) });
        let before = field.clone();
        let quality = Volume::from_fn(grid, |voxel| if void(voxel) { 0.0 } else { 1.0 });
        let mask = Volume::filled(grid, true);
        fill_voids(&mut field, &mask, &quality, &ReliabilityConfig::default());
        for index in 0..grid.len() {
            let voxel = grid.voxel(index);
            if void(voxel) {
                assert!((field[voxel] - slope(voxel)).abs() < 0.1, "{}", field[voxel]);
            } else {
                assert_eq!(field[voxel], before[voxel]);
            }
        }
    }

    #[test]
    fn bad_edges_go_and_bad_pockets_stay() {
        let grid = Grid::new([15, 15, 15], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let mask = Volume::from_fn(grid, |voxel| voxel.iter().all(|&i| (2..13).contains(&i)));
        let quality = Volume::from_fn(grid, |[i, j, k]| {
            let edge = i < 4;
            let pocket = (7..9).contains(&i) && j == 7 && k == 7;
            if edge || pocket { 0.05 } else { 1.0 }
        });
        let kept = reliable_mask(&mask, &quality, &ReliabilityConfig::default());
        assert!(!kept[[3, 7, 7]] && kept[[4, 7, 7]] && kept[[7, 7, 7]] && !kept[[1, 7, 7]]);
    }
}
