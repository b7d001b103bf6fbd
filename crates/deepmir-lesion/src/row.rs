//! The rows of the lesion table.

use serde::{Deserialize, Serialize};

use crate::{BombsSize, Certainty, LesionClass, Lobe, MarsRegion, Region, Side};

/// One row of a lesion table (TSV). Numbers that could not be measured are `n/a` there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LesionRow {
    /// Counts from 1, CMB before NHID, larger before smaller.
    pub lesion_id: usize,
    /// CMB or NHID.
    pub class: LesionClass,
    /// Definite or possible, where a candidate classifier gave a probability or a rater said so.
    #[serde(default)]
    pub certainty: Option<Certainty>,
    /// Lobar, deep or infratentorial: of [`Self::mars_region`], else by the brain's box, where a mask was given.
    pub region: Option<Region>,
    /// The region of MARS, where a parcellation or a rater told it.
    #[serde(default)]
    pub mars_region: Option<MarsRegion>,
    /// The lobe, likewise.
    #[serde(default)]
    pub lobe: Option<Lobe>,
    /// The side, likewise; none in what has no sides.
    #[serde(default)]
    pub side: Option<Side>,
    /// Centre of mass, RAS+.
    pub x_mm: f64,
    /// Centre of mass, RAS+.
    pub y_mm: f64,
    /// Centre of mass, RAS+.
    pub z_mm: f64,
    /// Volume.
    pub volume_mm3: f64,
    /// Diameter of the ball of that volume.
    pub diameter_mm: f64,
    /// That diameter in the sizes of BOMBS; none of an NHID and above 10 mm.
    #[serde(default)]
    pub bombs_size: Option<BombsSize>,
    /// Voxels on the image's own grid.
    pub n_voxels: usize,
    /// Mean probability of the class over the lesion.
    pub mean_probability: Option<f64>,
    /// Highest probability of the class in the lesion.
    pub max_probability: Option<f64>,
    /// Mean susceptibility over the voxels with a value (maps are zero elsewhere); none if more than half
    /// of the lesion has no value.
    pub chi_mean_ppm: Option<f64>,
    /// Susceptibility summed over the volume: for a small lesion independent of blooming and partial
    /// volume.
    pub chi_total_ppm_mm3: Option<f64>,
    /// Mean SWI in the lesion over the median of a 2 mm shell around it, less one: negative is
    /// darker than its surroundings.
    pub swi_contrast: Option<f64>,
    /// The same of T2w.
    pub t2w_contrast: Option<f64>,
    /// 1 for a ball ([`crate::shape::sphericity`]).
    pub sphericity: f64,
    /// Warnings, separated by commas: `diamagnetic` (mean susceptibility below zero:
    /// a calcification candidate), `linear` (vessel-like), `touches_mask_edge`.
    pub note: Option<String>,
}
