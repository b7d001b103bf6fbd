//! Volumes of structures.

use super::Probabilities;
use crate::network::{SIDE, VOXEL_MM};
use crate::{Side, Tissue};

/// The volume of a structure on one side, or of one that has no sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StructureVolume {
    /// Which.
    pub tissue: Tissue,
    /// On which side; `None` where it lies in the middle or around.
    pub side: Option<Side>,
    /// Its volume in millilitres: voxels count by their probabilities, so that surfaces between voxels are met.
    pub volume_ml: f64,
}

/// The volumes of all but background and what is outside the skull's inside.
pub(super) fn of(found: &Probabilities) -> Vec<StructureVolume> {
    let mut sums = [[0.0_f64; 2]; Tissue::COUNT];
    for values in found.values.data() {
        let right = f64::from(values[SIDE]);
        for (sum, &probability) in sums.iter_mut().zip(values) {
            sum[0] += f64::from(probability) * (1.0 - right);
            sum[1] += f64::from(probability) * right;
        }
    }
    let voxel_ml = VOXEL_MM.powi(3) / 1000.0;
    let mut volumes = Vec::new();
    for tissue in Tissue::ALL {
        let [left, right] = sums[tissue as usize].map(|sum| sum * voxel_ml);
        if matches!(tissue, Tissue::Background | Tissue::Outside) {
            continue;
        }
        if tissue.has_sides() {
            for (side, volume_ml) in [(Side::Left, left), (Side::Right, right)] {
                volumes.push(StructureVolume { tissue, side: Some(side), volume_ml });
            }
        } else {
            volumes.push(StructureVolume { tissue, side: None, volume_ml: left + right });
        }
    }
    volumes
}

/// Brain and the fluid around it, in millilitres: what the skull holds.
pub(crate) fn intracranial_ml(volumes: &[StructureVolume]) -> f64 {
    volumes.iter().map(|one| one.volume_ml).sum()
}

/// Parenchyma and ventricles, in millilitres.
pub(crate) fn brain_ml(volumes: &[StructureVolume]) -> f64 {
    volumes.iter().filter(|one| one.tissue.is_brain()).map(|one| one.volume_ml).sum()
}
