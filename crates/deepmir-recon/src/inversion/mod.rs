//! From the local field to susceptibility.

mod closed_form;
mod total_variation;

use deepmir_volume::{Mask, Volume, statistics};
use serde::{Deserialize, Serialize};

use crate::ReconError;

/// The method and its settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Inversion {
    /// Weighted fit with a small total variation, by the alternating direction method of multipliers
    /// (Milovic et al., "Fast nonlinear susceptibility inversion with variational regularization",
    /// 2018; Bilgic et al. 2014).
    TotalVariation {
        /// Weight of the total variation (per mm of gradient) against the fit.
        regularisation: f32,
        /// Part of the tissue's gradients that may be edges, where the magnitude has them too
        /// (Liu et al., "Morphology enabled dipole inversion", 2012); 0 treats all alike.
        edge_fraction: f32,
        /// Steps.
        iterations: usize,
    },
    /// Division by the dipole kernel where it is not small (Shmueli et al. 2009; rescaled as in
    /// Schweser et al. 2013).
    ThresholdedKernel {
        /// The smallest value of the kernel that is divided by.
        threshold: f32,
    },
    /// Smallest squared gradients, in closed form (Bilgic et al. 2014).
    ClosedFormL2 {
        /// Weight of the squared gradients (per mm) against the fit.
        regularisation: f32,
    },
}

impl Inversion {
    /// Total variation with its usual settings.
    pub const TOTAL_VARIATION: Self =
        Self::TotalVariation { regularisation: 1e-4, edge_fraction: 0.1, iterations: 25 };
    /// Thresholded division with its usual setting.
    pub const THRESHOLDED_KERNEL: Self = Self::ThresholdedKernel { threshold: 0.19 };
    /// Closed form with its usual setting.
    pub const CLOSED_FORM_L2: Self = Self::ClosedFormL2 { regularisation: 0.01 };
}

impl Default for Inversion {
    fn default() -> Self {
        Self::TOTAL_VARIATION
    }
}

/// What inversion starts from.
#[derive(Clone, Copy, Debug)]
pub struct InversionInput<'a> {
    /// Local field in ppm.
    pub local_field_ppm: &'a Volume<f32>,
    /// Where it is known.
    pub mask: &'a Mask,
    /// How far each voxel's field is trusted, 0 to 1.
    pub weights: &'a Volume<f32>,
    /// Magnitude, whose edges may be the susceptibility's.
    pub magnitude: &'a Volume<f32>,
    /// Unit vector of the main field along the voxel axes.
    pub b0_direction: [f64; 3],
}

/// The susceptibility in ppm that makes the local field; zero outside the mask. Its zero is
/// arbitrary (see [`reference_to_median`]).
///
/// # Errors
/// [`ReconError::Setting`] if a weight or threshold is not positive or there are no steps.
pub fn invert(input: &InversionInput, method: &Inversion) -> Result<Volume<f32>, ReconError> {
    let positive = |setting, value: f32| {
        let remedy = "give a number above zero";
        let fault = || ReconError::Setting { setting, value: value.to_string(), remedy };
        if value.is_finite() && value > 0.0 { Ok(()) } else { Err(fault()) }
    };
    let mut chi = match *method {
        Inversion::TotalVariation { regularisation, edge_fraction, iterations } => {
            positive("regularisation", regularisation)?;
            positive("iterations", iterations as f32)?;
            total_variation::invert(input, regularisation, edge_fraction, iterations)
        }
        Inversion::ThresholdedKernel { threshold } => {
            positive("threshold", threshold)?;
            closed_form::thresholded(input, threshold)
        }
        Inversion::ClosedFormL2 { regularisation } => {
            positive("regularisation", regularisation)?;
            closed_form::smallest_gradients(input, regularisation)
        }
    };
    chi.data_mut().iter_mut().zip(input.mask.data()).for_each(|(value, &inside)| {
        if !inside {
            *value = 0.0;
        }
    });
    Ok(chi)
}

/// Shifts a susceptibility so that its median over `mask` is zero; outside the mask it stays zero.
/// Returns what was subtracted.
pub fn reference_to_median(chi_ppm: &mut Volume<f32>, mask: &Mask) -> f32 {
    let voxels = chi_ppm.data().iter().zip(mask.data());
    let mut values: Vec<f32> =
        voxels.filter(|(_, inside)| **inside).map(|(&value, _)| value).collect();
    let median = statistics::median(&mut values).unwrap_or(0.0);
    chi_ppm.data_mut().iter_mut().zip(mask.data()).for_each(|(value, &inside)| {
        if inside {
            *value -= median;
        }
    });
    median
}
