//! SWI and QSM of a simulated scan.
//!
//! QSM goes through the true field: what the echoes' phases say about it is taken as its deviation
//! (noise, partial volume, dephasing), but it needs no unwrapping, and background fields are
//! removed exactly, by making the local field of the brain's own susceptibility. [`reconstruct`]
//! is the one place where a reconstruction from the echoes alone would be called instead.

mod qsm;
mod swi;

use deepmir_volume::components::Connectivity;
use deepmir_volume::morphology::erode;
use deepmir_volume::{Mask, Volume, VolumeError};

use crate::physics::GYROMAGNETIC_RATIO_HZ_PER_TESLA;
use crate::physics::dipole::dipole_field;
pub use qsm::invert;
pub use swi::susceptibility_weighted;

/// The largest susceptibility, about that of venous blood, taken to be the brain's own in the
/// outermost voxels of the mask, in ppm.
const RIM_CHI_PPM: f32 = 0.3;

/// What SWI and QSM are made of.
#[derive(Clone, Copy, Debug)]
pub struct MapInput<'a> {
    /// Magnitude of each echo.
    pub magnitude: &'a [Volume<f32>],
    /// Phase of each echo in radians, the offset at echo time zero removed.
    pub phase_rad: &'a [Volume<f32>],
    /// Echo times in seconds.
    pub echo_times_s: &'a [f64],
    /// Main field in tesla.
    pub field_strength_t: f64,
    /// The main field's direction along the voxel axes.
    pub b0_direction: [f64; 3],
    /// The brain.
    pub mask: &'a Mask,
    /// SWI is made of the whole head, not of the brain alone.
    pub whole_head_swi: bool,
    /// True field in ppm, mean over each voxel.
    pub true_field_ppm: &'a Volume<f32>,
    /// True susceptibility in ppm, mean over each voxel.
    pub true_chi_ppm: &'a Volume<f32>,
    /// SWI is made of the echo whose time is nearest to this, in seconds.
    pub swi_echo_time_s: f64,
}

/// SWI (in the magnitude's scale) and QSM (ppm, relative to the brain's median).
#[derive(Clone, Debug)]
pub struct Maps {
    /// Susceptibility-weighted image.
    pub swi: Volume<f32>,
    /// Quantitative susceptibility map.
    pub qsm_ppm: Volume<f32>,
}

/// Makes SWI and QSM.
///
/// # Errors
/// If a padded volume does not fit in memory.
pub fn reconstruct(input: &MapInput<'_>) -> Result<Maps, VolumeError> {
    let apart = |time: f64| (time - input.swi_echo_time_s).abs();
    let echo = (0..input.echo_times_s.len())
        .min_by(|&a, &b| apart(input.echo_times_s[a]).total_cmp(&apart(input.echo_times_s[b])))
        .unwrap_or(0);
    let everywhere;
    let swi_mask = if input.whole_head_swi {
        everywhere = Volume::filled(*input.mask.grid(), true);
        &everywhere
    } else {
        input.mask
    };
    let swi = susceptibility_weighted(&input.magnitude[echo], &input.phase_rad[echo], swi_mask);
    let mut local = local_field(input.true_chi_ppm, input.mask, input.b0_direction)?;
    let deviation = field_deviation(input);
    local.data_mut().iter_mut().zip(&deviation).for_each(|(field, deviation)| *field += deviation);
    let qsm_ppm = invert(&local, input.mask, input.b0_direction)?;
    Ok(Maps { swi, qsm_ppm })
}

/// The field in ppm of the susceptibility inside the mask alone, relative to its mean there.
fn local_field(
    chi_ppm: &Volume<f32>,
    mask: &Mask,
    b0_direction: [f64; 3],
) -> Result<Volume<f32>, VolumeError> {
    let (mut sum, mut count) = (0.0, 0.0);
    for (&value, &inside) in chi_ppm.data().iter().zip(mask.data()) {
        if inside {
            (sum, count) = (sum + f64::from(value), count + 1.0);
        }
    }
    let mean = (sum / f64::max(count, 1.0)) as f32;
    // Bone and air that fill a part of the outermost voxels are background, too.
    let core = erode(&erode(mask, Connectivity::TwentySix), Connectivity::Six);
    let mut own = chi_ppm.clone();
    for ((value, &inside), &deep) in own.data_mut().iter_mut().zip(mask.data()).zip(core.data()) {
        *value = match (inside, deep) {
            (true, true) => *value - mean,
            (true, false) => (*value - mean).clamp(-RIM_CHI_PPM, RIM_CHI_PPM),
            (false, _) => 0.0,
        };
    }
    let (padded, place) = qsm::padded(&own)?;
    dipole_field(&padded, b0_direction).crop(&place).with_grid(*chi_ppm.grid())
}

/// What the echoes' phases say about the field beyond the truth, in ppm: the weighted
/// least-squares slope of their difference, wrapped to ±π, over echo time. Where there is no
/// signal left (less than a twentieth of the brain's), nothing is said.
fn field_deviation(input: &MapInput<'_>) -> Vec<f32> {
    let radians_per_ppm_s =
        std::f64::consts::TAU * GYROMAGNETIC_RATIO_HZ_PER_TESLA * input.field_strength_t * 1e-6;
    let per_echo: Vec<f32> =
        input.echo_times_s.iter().map(|time| (radians_per_ppm_s * time) as f32).collect();
    let first = &input.magnitude[0];
    let inside = first.data().iter().zip(input.mask.data()).filter(|(_, inside)| **inside);
    let (sum, count) =
        inside.fold((0.0, 0.0), |(sum, count), (value, _)| (sum + f64::from(*value), count + 1.0));
    let faint = (0.05 * sum / f64::max(count, 1.0)) as f32;
    (0..first.data().len())
        .map(|index| {
            if !input.mask.data()[index] {
                return 0.0;
            }
            let field = input.true_field_ppm.data()[index];
            let (mut along, mut square) = (0.0, 0.0);
            for (echo, &slope) in per_echo.iter().enumerate() {
                let magnitude = input.magnitude[echo].data()[index];
                if magnitude < faint {
                    continue;
                }
                let difference = input.phase_rad[echo].data()[index] - slope * field;
                let turns = difference / std::f32::consts::TAU;
                let wrapped = std::f32::consts::TAU * (turns - turns.round());
                // So far off, later echoes may have turned past ±π unseen.
                if wrapped.abs() > 2.0 && square > 0.0 {
                    break;
                }
                let weight = magnitude * magnitude;
                along += weight * slope * wrapped;
                square += weight * slope * slope;
            }
            if square > 0.0 { along / square } else { 0.0 }
        })
        .collect()
}
