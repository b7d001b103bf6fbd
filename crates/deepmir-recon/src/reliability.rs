//! Where the field can be believed.

use deepmir_volume::components::{Connectivity, components};
use deepmir_volume::morphology::{close_mm, dilate_mm, fill_holes, largest_component, not};
use deepmir_volume::{Mask, Volume, statistics};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::phase::FieldFit;
use crate::scan::Echo;

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
    /// Pits of unreliable voxels in the brain's edge stay, as voids do, where no ball of this radius
    /// gets in from outside, millimetres: lesions without signal make them. Zero drops them.
    pub pit_radius_mm: f32,
    /// The largest such pit, cubic millimetres; larger ones are corners of sinuses and bone, whose
    /// field spoils what lies around.
    pub pit_volume_mm3: f32,
    /// Weight below which a voxel deeper inside counts as void, its field as unknown.
    pub void_weight: f32,
    /// How far outside the brain the field is used where it is reliable, millimetres: background removal
    /// gives up the edge of what it is given, which should be fluid and not cortex. Zero keeps to the brain.
    pub rim_mm: f32,
}

impl Default for ReliabilityConfig {
    fn default() -> Self {
        Self {
            residual_rad: 0.2,
            edge_weight: 0.3,
            edge_depth_mm: 12.0,
            pit_radius_mm: 4.0,
            pit_volume_mm3: 150.0,
            void_weight: 0.1,
            rim_mm: 4.0,
        }
    }
}

/// Quality of the field above which it is used outside the brain.
const LEAST_RIM_QUALITY: f32 = 0.3;

/// The brain and what lies within `rim_mm` of it where all magnitudes are above zero: skull-stripped
/// images end where they were stripped. Where the field is to be found.
pub fn field_region(brain: &Mask, echoes: &[Echo], config: &ReliabilityConfig) -> Mask {
    let mut region = brain.clone();
    if config.rim_mm > 0.0 {
        let near = dilate_mm(brain, config.rim_mm);
        region.data_mut().par_iter_mut().enumerate().for_each(|(voxel, value)| {
            let signal = || echoes.iter().all(|echo| echo.magnitude.data()[voxel] > 0.0);
            *value |= near.data()[voxel] && signal();
        });
    }
    region
}

/// The quality of the field, 0 to 1: its precision (in units of the brain's median, at most 1) times
/// a Gaussian of the residual. Zero outside `region` (see [`field_region`]).
pub fn field_quality(
    fit: &FieldFit,
    brain: &Mask,
    region: &Mask,
    config: &ReliabilityConfig,
) -> Volume<f32> {
    let inside = fit.precision.data().iter().zip(brain.data()).filter(|(_, inside)| **inside);
    let mut precisions: Vec<f32> = inside.map(|(&value, _)| value).collect();
    let typical = statistics::median(&mut precisions).unwrap_or(0.0).max(f32::MIN_POSITIVE);
    let mut quality = Volume::filled(*brain.grid(), 0.0_f32);
    let scale = -0.5 / (config.residual_rad * config.residual_rad).max(1e-12);
    quality.data_mut().par_iter_mut().enumerate().for_each(|(voxel, value)| {
        if region.data()[voxel] {
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

/// Where the field is used: the brain and the good part of its rim (`quality` is zero outside the region
/// that the field was found in), without the brain's unreliable voxels that hang together with the outside
/// and lie within `edge_depth_mm` of the brain's edge (sinuses, bone, drop-out). Unreliable voxels deeper
/// inside (lesions, veins) stay, with their low weights, and so do narrow pits in the edge.
pub fn reliable_mask(brain: &Mask, quality: &Volume<f32>, config: &ReliabilityConfig) -> Mask {
    let near = dilate_mm(&not(brain), config.edge_depth_mm);
    let known = |voxel: usize| brain.data()[voxel] || quality.data()[voxel] >= LEAST_RIM_QUALITY;
    let mut bad = Volume::filled(*brain.grid(), false);
    bad.data_mut().par_iter_mut().enumerate().for_each(|(voxel, bad)| {
        let doubtful = quality.data()[voxel] < config.edge_weight && near.data()[voxel];
        *bad = !known(voxel) || doubtful;
    });
    // Pockets that the outside does not reach are lesions near the edge, not the edge.
    let mut kept = not(&bad);
    for pocket in components(&bad, false, Connectivity::Six) {
        if pocket.voxels.iter().all(|&voxel| known(voxel)) {
            pocket.voxels.iter().for_each(|&voxel| kept.data_mut()[voxel] = true);
        }
    }
    let mut kept = largest_component(&kept, Connectivity::Six);
    if config.pit_radius_mm > 0.0 {
        fill_pits(&mut kept, brain, config);
    }
    let mut kept = fill_holes(&kept);
    // What the rim encloses outside the brain is bone or air.
    let whole = fill_holes(brain);
    kept.data_mut().par_iter_mut().enumerate().for_each(|(voxel, kept)| {
        *kept &= whole.data()[voxel] || known(voxel);
    });
    kept
}

/// Adds the narrow, small pits in the edge of `kept` that lie in the brain.
fn fill_pits(kept: &mut Mask, brain: &Mask, config: &ReliabilityConfig) {
    let mut pits = close_mm(kept, config.pit_radius_mm);
    pits.data_mut().par_iter_mut().enumerate().for_each(|(voxel, pit)| {
        *pit &= brain.data()[voxel] && !kept.data()[voxel];
    });
    let most = f64::from(config.pit_volume_mm3) / brain.grid().voxel_volume_mm3();
    for pit in components(&pits, false, Connectivity::Six) {
        if pit.voxels.len() as f64 <= most {
            pit.voxels.iter().for_each(|&voxel| kept.data_mut()[voxel] = true);
        }
    }
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

    #[test]
    fn a_lesion_at_the_edge_stays_and_a_sinus_goes() {
        let grid = Grid::new([40, 40, 30], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let brain = Volume::from_fn(grid, |[.., k]| (2..28).contains(&k));
        // Two balls without signal, open to the outside below; one is 4 mm wide, the other 16.
        let within = |[i, j, k]: [usize; 3], centre: [f64; 3], radius: f64| {
            let square = |a: usize, b: f64| (a as f64 - b).powi(2);
            square(i, centre[0]) + square(j, centre[1]) + square(k, centre[2]) < radius * radius
        };
        let lesion = |voxel| within(voxel, [30.0, 30.0, 2.0], 2.4);
        let sinus = |voxel| within(voxel, [12.0, 12.0, 2.0], 8.2);
        let bad = |voxel| lesion(voxel) || sinus(voxel);
        let quality = Volume::from_fn(grid, |voxel| if bad(voxel) { 0.05 } else { 0.9 });
        let kept = reliable_mask(&brain, &quality, &ReliabilityConfig::default());
        let share = |of: &dyn Fn([usize; 3]) -> bool| {
            let there = |&voxel: &usize| brain.data()[voxel] && of(grid.voxel(voxel));
            let voxels: Vec<usize> = (0..grid.len()).filter(there).collect();
            let stay = voxels.iter().filter(|&&voxel| kept.data()[voxel]).count();
            stay as f64 / voxels.len() as f64
        };
        assert!(share(&lesion) > 0.95, "{}", share(&lesion));
        assert!(share(&sinus) < 0.1, "{}", share(&sinus));
        let none = ReliabilityConfig { pit_radius_mm: 0.0, ..Default::default() };
        let strict = reliable_mask(&brain, &quality, &none);
        assert!(!strict[[30, 30, 3]] && strict[[30, 30, 8]]);
        let small = ReliabilityConfig { pit_volume_mm3: 5.0, ..Default::default() };
        assert!(!reliable_mask(&brain, &quality, &small)[[30, 30, 3]]);
    }

    #[test]
    fn a_rim_is_used_where_it_is_good_and_not_across_it() {
        let grid = Grid::new([17, 15, 15], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let brain = Volume::from_fn(grid, |voxel| voxel.iter().all(|&i| (4..11).contains(&i)));
        // Good to the left of the brain but for one voxel of bone, noise to the right of it.
        let bone = [2, 7, 7];
        let good = |voxel: [usize; 3]| voxel[0] < 11 && voxel != bone;
        let quality = Volume::from_fn(grid, |voxel| if good(voxel) { 1.0 } else { 0.2 });
        // However little is asked of the brain itself.
        let config = ReliabilityConfig { edge_weight: 0.0, ..Default::default() };
        let kept = reliable_mask(&brain, &quality, &config);
        assert!(kept[[1, 7, 7]] && kept[[3, 7, 7]] && !kept[bone]);
        assert!(kept[[10, 7, 7]] && !kept[[11, 7, 7]]);
    }

    #[test]
    fn the_rim_ends_where_an_echo_has_no_signal() {
        let grid = Grid::new([21, 5, 5], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let brain = Volume::from_fn(grid, |[i, ..]| (8..12).contains(&i));
        let echo = |from: usize| Echo {
            name: String::new(),
            magnitude: Volume::from_fn(grid, |[i, ..]| if i >= from { 1.0 } else { 0.0 }),
            phase_rad: Volume::filled(grid, 0.0),
            echo_time_s: 0.01,
        };
        let config = ReliabilityConfig { rim_mm: 3.0, ..Default::default() };
        let region = field_region(&brain, &[echo(0), echo(7)], &config);
        let row: Vec<usize> = (0..21).filter(|&i| region[[i, 2, 2]]).collect();
        assert_eq!(row, (7..15).collect::<Vec<_>>());
        let none = ReliabilityConfig { rim_mm: 0.0, ..config };
        assert_eq!(field_region(&brain, &[echo(0)], &none), brain);
    }
}
