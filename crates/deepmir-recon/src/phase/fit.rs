//! The field from unwrapped phases.

use deepmir_volume::{Mask, Volume};
use rayon::prelude::*;

use crate::scan::Echo;

/// A field and how well it explains the phases.
#[derive(Clone, Debug)]
pub struct FieldFit {
    /// Field offset in ppm of the main field; zero outside the mask.
    pub field_ppm: Volume<f32>,
    /// Root mean square of what the straight line leaves of the phases, weighted by squared
    /// magnitude, in radians. Zero for a single echo.
    pub residual_rad: Volume<f32>,
    /// Inverse of the field's standard deviation but for the noise level: root of the sum of squared
    /// magnitude times squared echo time.
    pub precision: Volume<f32>,
}

/// The magnitude-weighted least-squares line through zero of the phases over echo time, voxel by
/// voxel: the estimate of least variance for a phase without offset, whose noise goes with the
/// inverse of the magnitude.
///
/// `radians_per_ppm_second` turns the slope into ppm (see
/// [`crate::scan::GradientEchoScan::radians_per_ppm_second`]).
pub fn fit_field(
    echoes: &[Echo],
    unwrapped: &[Volume<f32>],
    mask: &Mask,
    radians_per_ppm_second: f64,
) -> FieldFit {
    let grid = *mask.grid();
    let all = Echoes::new(echoes, unwrapped);
    let to_ppm = 1.0 / radians_per_ppm_second as f32;
    let mut field_ppm = Volume::filled(grid, 0.0);
    let mut residual_rad = Volume::filled(grid, 0.0);
    let mut precision = Volume::filled(grid, 0.0);
    let outputs =
        field_ppm.data_mut().par_iter_mut().zip(residual_rad.data_mut()).zip(precision.data_mut());
    outputs.enumerate().for_each(|(voxel, ((field, residual), precision))| {
        if !mask.data()[voxel] {
            return;
        }
        if let Some(line) = all.line(echoes.len(), voxel) {
            *field = line.slope * to_ppm;
            *residual = line.residual_rad;
            *precision = line.precision;
        }
    });
    FieldFit { field_ppm, residual_rad, precision }
}

/// Times, magnitudes and unwrapped phases.
pub(super) struct Echoes<'a> {
    times: Vec<f32>,
    magnitudes: Vec<&'a [f32]>,
    phases: Vec<&'a [f32]>,
}

/// A line through zero.
pub(super) struct Line {
    /// Radians per second.
    pub(super) slope: f32,
    /// As that of [`FieldFit`].
    pub(super) residual_rad: f32,
    /// As that of [`FieldFit`].
    pub(super) precision: f32,
}

impl<'a> Echoes<'a> {
    pub(super) fn new(echoes: &'a [Echo], unwrapped: &'a [Volume<f32>]) -> Self {
        Self {
            times: echoes.iter().map(|echo| echo.echo_time_s as f32).collect(),
            magnitudes: echoes.iter().map(|echo| echo.magnitude.data()).collect(),
            phases: unwrapped.iter().map(Volume::data).collect(),
        }
    }

    /// The line of the first `count` echoes of a voxel; `None` without signal.
    pub(super) fn line(&self, count: usize, voxel: usize) -> Option<Line> {
        let values = || {
            let values = self.times.iter().zip(&self.magnitudes).zip(&self.phases).take(count);
            values.map(move |((&time, size), phase)| (time, size[voxel], phase[voxel]))
        };
        let (mut moment, mut square, mut weights) = (0.0, 0.0, 0.0);
        for (time, magnitude, phase) in values() {
            let weight = magnitude * magnitude;
            moment += weight * time * phase;
            square += weight * time * time;
            weights += weight;
        }
        if square <= 0.0 {
            return None;
        }
        let slope = moment / square;
        let mut left = 0.0;
        for (time, magnitude, phase) in values() {
            left += (magnitude * (phase - slope * time)).powi(2);
        }
        Some(Line { slope, residual_rad: (left / weights).sqrt(), precision: square.sqrt() })
    }
}
