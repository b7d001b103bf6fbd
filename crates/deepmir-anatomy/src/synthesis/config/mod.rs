//! What is drawn at random, and how far.

mod validate;

use serde::{Deserialize, Serialize};

/// Ranges and probabilities of everything that differs between examples. A range is `[least, most]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SynthesisConfig {
    /// Voxels of 2 mm of an example along each axis, each a multiple of 16.
    pub shape: [usize; 3],
    /// Where the head lies and what shape it has.
    pub space: SpaceConfig,
    /// How bright what is.
    pub contrast: ContrastConfig,
    /// What is in the head beside the labels.
    pub objects: ObjectConfig,
    /// What of the head is shown.
    pub mask: MaskConfig,
    /// How the image is measured.
    pub acquisition: AcquisitionConfig,
}

/// Where the head lies and what shape it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpaceConfig {
    /// Most rotation about each axis, in degrees.
    pub rotation_deg: f32,
    /// Most rotation of a head that lies far from straight, in degrees.
    pub far_rotation_deg: f32,
    /// Probability of such a head.
    pub far_probability: f32,
    /// Size along each axis.
    pub scale: [f32; 2],
    /// Most shear.
    pub shear: f32,
    /// Most shift along each axis, in millimetres.
    pub shift_mm: f32,
    /// Probability that left and right are exchanged.
    pub mirror_probability: f32,
    /// Standard deviation of the smooth displacement, in millimetres.
    pub displacement_mm: [f32; 2],
    /// Distance between the places where the displacement is drawn, in millimetres.
    pub displacement_spacing_mm: [f32; 2],
}

/// How bright what is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContrastConfig {
    /// Weights of contrasts: any, T2*-weighted, T2-weighted, T1-weighted, susceptibility map.
    pub weights: [f32; 5],
    /// Standard deviation within a class, in parts of the brightest, where any contrast is drawn.
    pub spread: [f32; 2],
    /// Probability that classes are joined in one intensity, for each way of joining them.
    pub merge_probability: f32,
    /// Probability that a class has two peaks.
    pub two_peaks_probability: f32,
    /// Distance between the knots of the texture in millimetres.
    pub texture_spacing_mm: [f32; 2],
    /// Probability that the finished image is turned over, bright to dark.
    pub inversion_probability: f32,
    /// Exponent of intensities.
    pub gamma: [f32; 2],
}

/// What is in the head beside the labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectConfig {
    /// Probability of signal loss near air.
    pub void_probability: f32,
    /// Most places of signal loss.
    pub voids: usize,
    /// Radius of signal loss in millimetres.
    pub void_radius_mm: [f32; 2],
    /// Probability of veins.
    pub vein_probability: f32,
    /// Most veins.
    pub veins: usize,
    /// Radius of veins in millimetres.
    pub vein_radius_mm: [f32; 2],
    /// Probability of small lesions.
    pub lesion_probability: f32,
    /// Most small lesions.
    pub lesions: usize,
    /// Radius of small lesions in millimetres.
    pub lesion_radius_mm: [f32; 2],
    /// Probability of a haemorrhage.
    pub haemorrhage_probability: f32,
    /// Radius of haemorrhages in millimetres.
    pub haemorrhage_radius_mm: [f32; 2],
}

/// What of the head is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaskConfig {
    /// Probability that only the brain is left.
    pub strip_probability: f32,
    /// How far the mask reaches beyond the brain, in millimetres.
    pub margin_mm: [f32; 2],
    /// Probability that a mask lacks pieces or has pieces too many.
    pub fault_probability: f32,
    /// Probability that the face is removed from a whole head.
    pub deface_probability: f32,
    /// Probability that the field of view is cut.
    pub cut_probability: f32,
    /// Most that is cut at a side, in parts of the field.
    pub cut: f32,
}

/// How the image is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AcquisitionConfig {
    /// Resolution in the plane in millimetres.
    pub in_plane_mm: [f32; 2],
    /// Probability of slices thicker than the resolution in the plane.
    pub thick_probability: f32,
    /// Their thickness in millimetres.
    pub thickness_mm: [f32; 2],
    /// Distance of slices in parts of their thickness.
    pub spacing: [f32; 2],
    /// Probability of ringing in the plane.
    pub ringing_probability: f32,
    /// Noise in parts of the brightest tissue.
    pub noise: [f32; 2],
    /// Standard deviation of the logarithm of the receive field.
    pub bias: [f32; 2],
    /// Distance between the knots of the receive field in millimetres.
    pub bias_spacing_mm: [f32; 2],
    /// Probability that the air is exactly zero.
    pub zero_air_probability: f32,
}

impl Default for SynthesisConfig {
    fn default() -> Self {
        Self {
            shape: [96, 128, 96],
            space: SpaceConfig::default(),
            contrast: ContrastConfig::default(),
            objects: ObjectConfig::default(),
            mask: MaskConfig::default(),
            acquisition: AcquisitionConfig::default(),
        }
    }
}

impl Default for SpaceConfig {
    fn default() -> Self {
        Self {
            rotation_deg: 12.0,
            far_rotation_deg: 30.0,
            far_probability: 0.15,
            scale: [0.9, 1.12],
            shear: 0.1,
            shift_mm: 10.0,
            mirror_probability: 0.5,
            displacement_mm: [0.0, 4.0],
            displacement_spacing_mm: [20.0, 40.0],
        }
    }
}

impl Default for ContrastConfig {
    fn default() -> Self {
        Self {
            weights: [0.4, 0.35, 0.15, 0.06, 0.04],
            spread: [0.0, 0.1],
            merge_probability: 0.12,
            two_peaks_probability: 0.15,
            texture_spacing_mm: [5.0, 24.0],
            inversion_probability: 0.05,
            gamma: [0.6, 1.6],
        }
    }
}

impl Default for ObjectConfig {
    fn default() -> Self {
        Self {
            void_probability: 0.5,
            voids: 8,
            void_radius_mm: [5.0, 22.0],
            vein_probability: 0.6,
            veins: 60,
            vein_radius_mm: [0.6, 2.0],
            lesion_probability: 0.5,
            lesions: 40,
            lesion_radius_mm: [1.0, 8.0],
            haemorrhage_probability: 0.12,
            haemorrhage_radius_mm: [8.0, 25.0],
        }
    }
}

impl Default for MaskConfig {
    fn default() -> Self {
        Self {
            strip_probability: 0.5,
            margin_mm: [-1.0, 6.0],
            fault_probability: 0.25,
            deface_probability: 0.1,
            cut_probability: 0.3,
            cut: 0.35,
        }
    }
}

impl Default for AcquisitionConfig {
    fn default() -> Self {
        Self {
            in_plane_mm: [0.5, 3.0],
            thick_probability: 0.5,
            thickness_mm: [0.7, 4.0],
            spacing: [1.0, 1.5],
            ringing_probability: 0.1,
            noise: [0.005, 0.08],
            bias: [0.0, 0.4],
            bias_spacing_mm: [50.0, 120.0],
            zero_air_probability: 0.3,
        }
    }
}
