//! The local field: without what air, bone and the magnet put into the brain from outside.

mod pdf;
mod resharp;
mod sphere;
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
}

impl BackgroundRemoval {
    /// V-SHARP with its usual settings.
    pub const VSHARP: Self =
        Self::Vsharp { largest_radius_mm: 7.0, smallest_radius_mm: 1.5, truncation: 0.05 };
    /// RESHARP with its usual settings.
    pub const RESHARP: Self = Self::Resharp { radius_mm: 4.0, tikhonov: 1e-4, iterations: 30 };
    /// PDF with its usual settings.
    pub const PDF: Self = Self::Pdf { iterations: 30 };
}

impl Default for BackgroundRemoval {
    fn default() -> Self {
        Self::VSHARP
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

/// Removes the background from a total field (ppm) known inside `mask`. `weights` (0 to 1, how far
/// each voxel's field is trusted) are used by PDF; `b0_direction` is a unit vector along voxel axes.
///
/// # Errors
/// [`ReconError::EmptyMask`] if the mask is empty or too thin for the method,
/// [`ReconError::Setting`] if a radius, count or threshold cannot be.
pub fn remove_background(
    total_field_ppm: &Volume<f32>,
    mask: &Mask,
    weights: &Volume<f32>,
    b0_direction: [f64; 3],
    method: &BackgroundRemoval,
) -> Result<LocalField, ReconError> {
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
