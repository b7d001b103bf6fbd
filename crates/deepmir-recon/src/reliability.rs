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
}

impl Default for ReliabilityConfig {
    fn default() -> Self {
        Self { residual_rad: 0.2, edge_weight: 0.3, edge_depth_mm: 12.0 }
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
