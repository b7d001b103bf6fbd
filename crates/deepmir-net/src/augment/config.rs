//! Which augmentations, and how strong.

use serde::{Deserialize, Serialize};

/// How much training patches are augmented. Zero switches an augmentation off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Rotation in the slice, uniform within ± this.
    pub rotation_degrees: f64,
    /// Scaling in the slice by a factor from 1/(1 + this) to 1 + this.
    pub scale: f64,
    /// Mirror left–right with a chance of one half.
    pub flip_left_right: bool,
    /// Mirror front–back with a chance of one half.
    pub flip_front_back: bool,
    /// Mirror bottom–top (the order of the context slices) with a chance of one half.
    pub flip_bottom_top: bool,
    /// Highest standard deviation of added Gaussian noise, in normalised units.
    pub noise: f64,
    /// Contrast of SWI and T2w: multiplied by a factor from 1/(1 + this) to 1 + this, and shifted by up to ± this.
    pub contrast: f64,
    /// Susceptibility: multiplied by a factor from 1/(1 + this) to 1 + this.
    pub susceptibility: f64,
    /// Bias field of SWI and T2w: a linear gain across the patch, up to ± this at its edges.
    pub bias: f64,
    /// Chance that the patch is blurred by a Gaussian of up to one voxel.
    pub blur_chance: f64,
    /// Chance that an outer context slice is missing and replaced by a copy of the middle one.
    pub missing_slice_chance: f64,
    /// Shift of T2w against the other images by up to this many voxels, as after a poor registration.
    pub misalignment_voxels: f64,
    /// Chance, for QSM and for T2w, that it is absent (zero) on one side of a line across the patch: susceptibility maps
    /// end short of the brain's surface, where lesions must be found without them.
    pub absent_chance: f64,
    /// Modality dropout: the chance, for each optional input of the plan, that it is missing.
    pub missing_chance: f64,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self::NONE
    }
}

impl AugmentConfig {
    /// No augmentation.
    pub const NONE: Self = Self {
        rotation_degrees: 0.0,
        scale: 0.0,
        flip_left_right: false,
        flip_front_back: false,
        flip_bottom_top: false,
        noise: 0.0,
        contrast: 0.0,
        susceptibility: 0.0,
        bias: 0.0,
        blur_chance: 0.0,
        missing_slice_chance: 0.0,
        misalignment_voxels: 0.0,
        absent_chance: 0.0,
        missing_chance: 0.0,
    };
}
