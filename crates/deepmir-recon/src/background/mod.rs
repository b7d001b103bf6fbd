//! The local field: without what air, bone and the magnet put into the brain from outside.

mod pdf;
mod resharp;
mod sphere;
mod tfi;
mod trend;
mod vsharp;

use deepmir_volume::{Mask, Volume};
use serde::{Deserialize, Serialize};

use crate::ReconError;

/// The method and its settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum BackgroundRemoval {
    /// Spherical means of varying radius (Schweser et al. 2011; Wu et al. 2012; Li et al. 2011):
    /// harmonic fields equal their mean over a ball.
    Vsharp {
        /// Radius of the ball deep inside, millimetres.
        largest_radius_mm: f64,
        /// Radius at the brain's edge; what lies nearer to the edge is lost.
        smallest_radius_mm: f64,
        /// Frequencies where the ball's filter passes less than this are given up.
        truncation: f32,
    },
    /// One ball, regularised (Sun and Wilman 2014).
    Resharp {
        /// Radius of the ball; what lies nearer to the brain's edge is lost.
        radius_mm: f64,
        /// Weight of the field's own size against the fit.
        tikhonov: f32,
        /// Steps of conjugate gradients.
        iterations: usize,
    },
    /// Projection onto dipole fields (Liu et al. 2011): what sources outside the brain and a polynomial of
    /// second order (the shim) can explain is background.
    Pdf {
        /// Steps of conjugate gradients.
        iterations: usize,
    },
    /// Linear inversion of the total field (Liu et al. 2017; Sun et al. 2018): sources inside and outside
    /// the brain and a polynomial of second order (the shim) are fitted together, each source as large as
    /// is expected where it lies; what those outside and the polynomial make is background. A source at
    /// the brain's edge need not be explained from outside, as in PDF.
    Tfi {
        /// Standard deviation of the susceptibility of brain tissue, ppm.
        tissue_ppm: f32,
        /// That of voxels of the brain whose field is not trusted: lesions, blood.
        lesion_ppm: f32,
        /// That of what is outside the brain and bright in the magnitude: fluid, fat, muscle.
        surroundings_ppm: f32,
        /// That of what is dark outside the brain: bone, air.
        air_ppm: f32,
        /// Steps of conjugate gradients on the scan's voxels; four times as many on voxels twice as large, and so on.
        iterations: usize,
    },
}

impl BackgroundRemoval {
    /// V-SHARP with its usual settings.
    pub const VSHARP: Self =
        Self::Vsharp { largest_radius_mm: 7.0, smallest_radius_mm: 1.5, truncation: 0.05 };
    /// RESHARP with its usual settings.
    pub const RESHARP: Self = Self::Resharp { radius_mm: 4.0, tikhonov: 1e-4, iterations: 30 };
    /// Total field inversion with its usual settings.
    pub const TFI: Self = Self::Tfi {
        tissue_ppm: 0.02,
        lesion_ppm: 0.3,
        surroundings_ppm: 0.2,
        air_ppm: 1.0,
        iterations: 6,
    };
    /// PDF with its usual settings.
    pub const PDF: Self = Self::Pdf { iterations: 30 };
}

impl Default for BackgroundRemoval {
    fn default() -> Self {
        Self::TFI
    }
}

/// The field of the brain's own sources, and where it is known.
#[derive(Clone, Debug)]
pub struct LocalField {
    /// In ppm; zero outside the mask.
    pub field_ppm: Volume<f32>,
    /// A part of the brain mask.
    pub mask: Mask,
}

/// What background removal starts from.
#[derive(Clone, Copy, Debug)]
pub struct BackgroundInput<'a> {
    /// Total field in ppm.
    pub total_field_ppm: &'a Volume<f32>,
    /// Where it is known.
    pub mask: &'a Mask,
    /// How far each voxel's field is trusted, 0 to 1; used by PDF and total field inversion.
    pub weights: &'a Volume<f32>,
    /// Magnitude in any unit, also outside the mask; used by total field inversion.
    pub magnitude: &'a Volume<f32>,
    /// Unit vector of the main field along the voxel axes.
    pub b0_direction: [f64; 3],
}

/// Removes the background from a total field.
///
/// # Errors
/// [`ReconError::EmptyMask`] if the mask is empty or too thin for the method,
/// [`ReconError::Setting`] if a radius, count or threshold cannot be.
pub fn remove_background(
    input: &BackgroundInput,
    method: &BackgroundRemoval,
) -> Result<LocalField, ReconError> {
    let BackgroundInput { total_field_ppm, mask, weights, b0_direction, .. } = *input;
    let local = match *method {
        BackgroundRemoval::Vsharp { largest_radius_mm, smallest_radius_mm, truncation } => {
            check_radius("largest_radius_mm", largest_radius_mm)?;
            check_radius("smallest_radius_mm", smallest_radius_mm)?;
            let largest = largest_radius_mm.max(smallest_radius_mm);
            vsharp::vsharp(total_field_ppm, mask, [smallest_radius_mm, largest], truncation)
        }
        BackgroundRemoval::Resharp { radius_mm, tikhonov, iterations } => {
            check_radius("radius_mm", radius_mm)?;
            resharp::resharp(total_field_ppm, mask, radius_mm, tikhonov, iterations)
        }
        BackgroundRemoval::Pdf { iterations } => {
            pdf::pdf(total_field_ppm, mask, weights, b0_direction, iterations)
        }
        BackgroundRemoval::Tfi {
            tissue_ppm,
            lesion_ppm,
            surroundings_ppm,
            air_ppm,
            iterations,
        } => {
            for (setting, value) in [
                ("tissue_ppm", tissue_ppm),
                ("lesion_ppm", lesion_ppm),
                ("surroundings_ppm", surroundings_ppm),
                ("air_ppm", air_ppm),
            ] {
                check_deviation(setting, value)?;
            }
            let expected = tfi::Expected { tissue_ppm, lesion_ppm, surroundings_ppm, air_ppm };
            tfi::tfi(input, expected, iterations)
        }
    };
    if local.mask.count() == 0 {
        let reason = "no voxel of the brain mask is deep enough for background removal".to_owned();
        return Err(ReconError::EmptyMask { reason });
    }
    Ok(local)
}

fn check_radius(setting: &'static str, radius_mm: f64) -> Result<(), ReconError> {
    if radius_mm.is_finite() && (0.1..=60.0).contains(&radius_mm) {
        return Ok(());
    }
    let remedy = "give millimetres between 0.1 and 60";
    Err(ReconError::Setting { setting, value: radius_mm.to_string(), remedy })
}

fn check_deviation(setting: &'static str, value_ppm: f32) -> Result<(), ReconError> {
    if (1e-3..=100.0).contains(&value_ppm) {
        return Ok(());
    }
    let remedy = "give ppm between 0.001 and 100";
    Err(ReconError::Setting { setting, value: value_ppm.to_string(), remedy })
}

/// A volume's values where `mask` is true, else zero.
fn masked(volume: &Volume<f32>, mask: &Mask) -> Volume<f32> {
    let mut result = volume.clone();
    result.data_mut().iter_mut().zip(mask.data()).for_each(|(value, &inside)| {
        if !inside {
            *value = 0.0;
        }
    });
    result
}
