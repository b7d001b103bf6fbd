//! SWI and QSM of a simulated scan, from its echoes alone: what a site would make of a real one.

use deepmir_recon::{Echo, GradientEchoScan};
use deepmir_recon::{ReconConfig, ReconError};
use deepmir_volume::{Mask, Volume};

use crate::config::ScanConfig;
use crate::geometry::Geometry;

/// SWI (of the whole head, in the magnitude's scale) and QSM (ppm, relative to the median of where
/// it is reliable; zero elsewhere).
#[derive(Clone, Debug)]
pub struct Maps {
    /// Susceptibility-weighted image.
    pub swi: Volume<f32>,
    /// Quantitative susceptibility map.
    pub qsm_ppm: Volume<f32>,
}

/// Reconstructs a scan by [`deepmir_recon::reconstruct`]. The brain mask is given, not found: a
/// dataset of phantoms has no failed brain extractions.
///
/// # Errors
/// If a setting of the reconstruction cannot be, or the mask is too thin for background removal.
pub(crate) fn reconstruct(
    scan: &ScanConfig,
    geometry: &Geometry,
    magnitude: &[Volume<f32>],
    phase_rad: &[Volume<f32>],
    brain: &Mask,
    config: &ReconConfig,
) -> Result<Maps, ReconError> {
    let images = magnitude.iter().zip(phase_rad).zip(&scan.echo_times_s).enumerate();
    let echoes = images
        .map(|(n, ((magnitude, phase), &echo_time_s))| Echo {
            name: format!("echo {}", n + 1),
            magnitude: magnitude.clone(),
            phase_rad: phase.clone(),
            echo_time_s,
        })
        .collect();
    let scan = GradientEchoScan::new(echoes, scan.field_strength_t, geometry.b0_direction)?;
    let made = deepmir_recon::reconstruct(&scan, Some(brain), config, |_| ())?;
    Ok(Maps { swi: made.swi, qsm_ppm: made.chi_ppm })
}
