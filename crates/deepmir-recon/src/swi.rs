//! Susceptibility-weighted images.

mod from_susceptibility;

use std::f32::consts::PI;

use deepmir_volume::{Grid, Volume, gaussian};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::phase::wrapped;
use crate::scan::{Echo, GradientEchoScan, field_direction};

pub use from_susceptibility::{
    SusceptibilityWeighting, SwiFromSusceptibility, weighted_by_susceptibility,
};

/// How the SWI is made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SwiConfig {
    /// The echo nearest to this time is used, seconds; by default 60 ms·T over the field strength,
    /// so that a vein turns the phase as far at 1.5 T as at 7 T.
    pub echo_time_s: Option<f64>,
    /// Standard deviation of the Gaussian, within slices, that the phase is compared with,
    /// millimetres.
    pub high_pass_sigma_mm: f64,
    /// How often the phase mask is multiplied onto the magnitude.
    pub mask_power: u8,
    /// Thickness of the slab of the minimum-intensity projection, millimetres.
    pub slab_mm: f64,
    /// A second image, whose mask is made of the susceptibility map; by default there is none.
    pub from_susceptibility: Option<SusceptibilityWeighting>,
}

impl Default for SwiConfig {
    fn default() -> Self {
        Self {
            echo_time_s: None,
            high_pass_sigma_mm: 2.5,
            mask_power: 4,
            slab_mm: 8.0,
            from_susceptibility: None,
        }
    }
}

/// Echo time times field strength of an SWI, in seconds times tesla: 20 ms at 3 T.
const USUAL_SECOND_TESLA: f64 = 0.06;

impl SwiConfig {
    /// Which of the echoes (times in seconds) SWI is made of, at a field strength in tesla.
    pub fn echo_of(&self, echo_times_s: &[f64], field_strength_t: f64) -> usize {
        let wanted = self.echo_time_s.unwrap_or(USUAL_SECOND_TESLA / field_strength_t);
        let apart = |&n: &usize| (echo_times_s[n] - wanted).abs();
        let nearest = (0..echo_times_s.len()).min_by(|a, b| apart(a).total_cmp(&apart(b)));
        nearest.unwrap_or(0)
    }
}

/// The magnitude of one echo, darkened where its high-passed phase is positive (paramagnetic): times
/// (1 − φ/π)^`mask_power` (Haacke et al., "Susceptibility weighted imaging", 2004).
///
/// The phase is high-passed by homodyne filtering: the complex signal divided by its own smoothed
/// copy, which needs no unwrapping. The Gaussian of 2.5 mm passes about what the usual Hann window of
/// a quarter of the k-space lines does.
///
/// The phase must grow where the field is higher (see [`Echo::phase_rad`]). With the other sign, which
/// some vendors store, what is diamagnetic is darkened and what is paramagnetic is not; the phase
/// alone cannot tell.
pub fn susceptibility_weighted(scan: &GradientEchoScan, config: &SwiConfig) -> Volume<f32> {
    let echo = &scan.echoes()[config.echo_of(&scan.echo_times_s(), scan.field_strength_t())];
    let phase =
        homodyne_phase(echo, slice_axis(scan.grid(), scan.slice_axis()), config.high_pass_sigma_mm);
    let mut swi = echo.magnitude.clone();
    let power = i32::from(config.mask_power);
    swi.data_mut().par_iter_mut().zip(phase.data()).for_each(|(value, &phase)| {
        *value *= (1.0 - phase.max(0.0) / PI).max(0.0).powi(power);
    });
    swi
}

/// The phase of the complex signal relative to its smoothed copy, −π to π.
fn homodyne_phase(echo: &Echo, slices: usize, sigma_mm: f64) -> Volume<f32> {
    let mut sigma = [sigma_mm; 3];
    sigma[slices] = 0.0;
    let smooth_part = |component: fn(f32) -> f32| {
        let mut part = echo.magnitude.clone();
        let phases = echo.phase_rad.data().par_iter();
        part.data_mut().par_iter_mut().zip(phases).for_each(|(value, &phase)| {
            *value *= component(phase);
        });
        gaussian::smooth(&part, sigma)
    };
    let (real, imaginary) = (smooth_part(f32::cos), smooth_part(f32::sin));
    let mut phase = echo.phase_rad.clone();
    let smooth = real.data().par_iter().zip(imaginary.data());
    phase.data_mut().par_iter_mut().zip(smooth).for_each(|(value, (&real, &imaginary))| {
        *value = wrapped(*value - imaginary.atan2(real));
    });
    phase
}

/// Voxels whose sizes differ by less have one size.
const ONE_SIZE: f64 = 1.01;

/// The voxel axis across slices: that of the largest voxels. Of equal ones it is `told`, the one that the acquisition
/// tells, or else the one that runs nearest to the patient's foot-to-head axis, so that images do not depend on the order
/// in which their voxels are stored.
///
/// ```
/// use deepmir_recon::swi::slice_axis;
/// use deepmir_volume::{Affine, Grid};
///
/// // Isotropic voxels, stored slice by slice from left to right: the first axis runs upwards.
/// let rows = [[0., 0., 1., 0.], [0., 1., 0., 0.], [1., 0., 0., 0.], [0., 0., 0., 1.]];
/// let grid = Grid::new([8, 8, 8], Affine::from_rows(rows).unwrap())?;
/// assert_eq!(slice_axis(&grid, None), 0);
/// assert_eq!(slice_axis(&grid, Some(2)), 2);
/// # Ok::<(), deepmir_volume::VolumeError>(())
/// ```
pub fn slice_axis(grid: &Grid, told: Option<usize>) -> usize {
    let sizes = grid.voxel_sizes_mm();
    let largest = sizes.into_iter().fold(0.0, f64::max);
    let equal = |&axis: &usize| sizes[axis] * ONE_SIZE >= largest;
    if let Some(told) = told.filter(|axis| *axis < 3 && equal(axis)) {
        return told;
    }
    let upward = field_direction(grid);
    let candidates = (0..3).filter(equal);
    candidates.max_by(|&a, &b| upward[a].abs().total_cmp(&upward[b].abs())).unwrap_or(2)
}

/// The minimum over a slab of `slab_mm` around each slice, across slices along the voxel axis `axis` (see [`slice_axis`]).
pub fn minimum_intensity_projection(swi: &Volume<f32>, axis: usize, slab_mm: f64) -> Volume<f32> {
    let axis = axis.min(2);
    let shape = swi.shape();
    let size = swi.grid().voxel_sizes_mm()[axis];
    let reach = (slab_mm / size / 2.0).round().clamp(0.0, shape[axis] as f64) as usize;
    let stride = [1, shape[0], shape[0] * shape[1]][axis];
    let mut projection = swi.clone();
    let data = swi.data();
    projection.data_mut().par_iter_mut().enumerate().for_each(|(here, value)| {
        let at = here / stride % shape[axis];
        let (before, after) = (reach.min(at), reach.min(shape[axis] - 1 - at));
        let first = here - before * stride;
        let slab = (0..=before + after).map(|n| data[first + n * stride]);
        *value = slab.fold(*value, f32::min);
    });
    projection
}
