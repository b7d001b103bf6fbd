//! The scanner.

use deepmir_recon::ReconConfig;
use serde::{Deserialize, Serialize};

use super::Range;

/// The multi-echo gradient-echo scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScanConfig {
    /// Main field in tesla.
    pub field_strength_t: f64,
    /// Voxel size in millimetres.
    pub voxel_mm: [f64; 3],
    /// Voxels along each axis.
    pub matrix: [usize; 3],
    /// Rotation of the slices about the left–right and the front–back axis in degrees. The main
    /// field stays along the scanner's axis (upwards), so it is oblique in the images.
    pub tilt_deg: [f64; 2],
    /// Echo times in seconds.
    pub echo_times_s: Vec<f64>,
    /// Repetition time in seconds.
    pub repetition_time_s: f64,
    /// Flip angle in degrees.
    pub flip_angle_deg: f64,
    /// Mean signal of white matter in the first echo over the standard deviation of the noise of
    /// the real part.
    pub snr: f64,
    /// Field left over by the shim: standard deviation of linear and quadratic terms at 80 mm,
    /// in ppm.
    pub shim_residual_ppm: f64,
    /// Standard deviation of the logarithm of the coil's sensitivity at 80 mm.
    pub coil_variation: f64,
    /// Standard deviation of the phase at echo time zero at 80 mm, in radians.
    pub phase_offset_rad: f64,
    /// Largest sway of the head along the phase-encoding axis in millimetres; 0 is still.
    pub motion_mm: f64,
    /// Largest size of the voxels that the signal is drawn on, in millimetres.
    pub fine_voxel_mm: f64,
}

impl Default for ScanConfig {
    fn default() -> Self {
        Self {
            field_strength_t: 3.0,
            voxel_mm: [0.75, 0.75, 1.5],
            matrix: [213, 256, 100],
            tilt_deg: [0.0, 0.0],
            echo_times_s: vec![0.006, 0.012, 0.018, 0.024, 0.030],
            repetition_time_s: 0.036,
            flip_angle_deg: 15.0,
            snr: 60.0,
            shim_residual_ppm: 0.02,
            coil_variation: 0.12,
            phase_offset_rad: 0.8,
            motion_mm: 0.0,
            fine_voxel_mm: 0.5,
        }
    }
}

/// The T2-weighted scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct T2wConfig {
    /// Voxel size in millimetres over the field of view of the gradient-echo scan; the sizes are
    /// rounded so that whole voxels fill it. Without it, the grid is the gradient-echo scan's.
    pub voxel_mm: Option<[f64; 3]>,
    /// Repetition time in seconds.
    pub repetition_time_s: f64,
    /// Echo time in seconds.
    pub echo_time_s: f64,
    /// Mean signal of white matter over the standard deviation of the noise.
    pub snr: f64,
    /// Largest rotation about each axis since the gradient-echo scan, in degrees.
    pub rotation_deg: f64,
    /// Largest shift along each axis since the gradient-echo scan, in millimetres.
    pub shift_mm: f64,
}

impl Default for T2wConfig {
    fn default() -> Self {
        Self {
            voxel_mm: None,
            repetition_time_s: 5.0,
            echo_time_s: 0.095,
            snr: 35.0,
            rotation_deg: 0.4,
            shift_mm: 0.3,
        }
    }
}

/// Which images are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Contents {
    /// SWI, QSM and T2w.
    Maps,
    /// The raw echoes and T2w.
    Raw,
    /// All of them.
    Both,
}

impl Contents {
    /// Whether SWI and QSM are made.
    pub fn has_maps(self) -> bool {
        self != Self::Raw
    }

    /// Whether the raw echoes are written.
    pub fn has_raw(self) -> bool {
        self != Self::Maps
    }
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutputConfig {
    /// Which images.
    pub contents: Contents,
    /// Set SWI, QSM and T2w to zero outside the brain, as after brain extraction. Raw echoes are
    /// never stripped.
    pub skull_strip: bool,
    /// Write true susceptibility, field and R2* beside the labels.
    pub true_maps: bool,
    /// Write true R2 and true paramagnetic and diamagnetic susceptibility as well.
    pub true_parts: bool,
    /// How SWI and QSM are reconstructed from the echoes.
    pub reconstruction: ReconConfig,
}

impl Default for OutputConfig {
    fn default() -> Self {
        Self {
            contents: Contents::Maps,
            skull_strip: true,
            true_maps: true,
            true_parts: false,
            reconstruction: ReconConfig::default(),
        }
    }
}

/// The spread of scanners and protocols that [`super::PhantomConfig::randomized`] draws from.
pub(crate) struct ScanRanges;

impl ScanRanges {
    pub(crate) const FIELD_STRENGTHS_T: [f64; 3] = [1.5, 3.0, 7.0];
    pub(crate) const FIELD_STRENGTH_SHARES: [f64; 3] = [0.25, 0.6, 0.15];
    pub(crate) const IN_PLANE_MM: Range = [0.5, 1.1];
    /// The logarithm is drawn evenly: half are below 2.1 mm.
    pub(crate) const SLICE_MM: Range = [0.9, 5.0];
    pub(crate) const FIRST_ECHO_S: Range = [0.003, 0.008];
    pub(crate) const ECHO_SPACING_S: Range = [0.0035, 0.008];
    pub(crate) const ECHOES: [u32; 2] = [3, 8];
    pub(crate) const FLIP_ANGLE_DEG: Range = [8.0, 22.0];
    pub(crate) const SNR: Range = [20.0, 70.0];
    pub(crate) const TILT_DEG: Range = [-12.0, 12.0];
    pub(crate) const MOTION_PROBABILITY: f64 = 0.2;
    pub(crate) const MOTION_MM: Range = [0.1, 0.6];
    pub(crate) const T2W_ECHO_S: Range = [0.075, 0.115];
    pub(crate) const T2W_REPETITION_S: Range = [3.0, 7.0];
    pub(crate) const T2W_SHIFT_MM: Range = [0.2, 0.8];
}
