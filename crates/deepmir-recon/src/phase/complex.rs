//! The field from complex signals.

use deepmir_volume::Mask;
use rayon::prelude::*;

use super::fit::FieldFit;
use super::wrapped;
use crate::scan::Echo;

/// Most steps that a voxel takes; nearly all need none to three.
const MOST_STEPS: usize = 20;
/// Radians at the last echo below which a step is the last.
const LAST_STEP_RAD: f32 = 1e-3;
/// Residual of the line, in radians, below which both fits are the same: a sine differs from its
/// angle by a sixth of the cube, less than a step that counts.
const SAME_RAD: f32 = 0.05;

/// Moves each voxel's field to the nearest minimum of Σ|Sₙ − |Sₙ|·exp(iωtₙ)|² over the complex
/// signals Sₙ of the echoes, without a phase at time zero (Liu et al., "Nonlinear formulation of the
/// magnetic field to source relationship for robust quantitative susceptibility mapping", Magnetic
/// Resonance in Medicine 69:467, 2013).
///
/// Whole turns of an echo do not matter to it, and an echo far from the others (noise, or one that
/// unwrapping turned the wrong way) pulls less than it does on a line. The steps are those of Gauss
/// and Newton, Δω = Σ|Sₙ|²tₙ·sin(φₙ − ωtₙ)/Σ|Sₙ|²tₙ². Their curvature is never below that of the
/// sum, so that none overshoots.
///
/// `fit` is that of [`super::fit_field`], `echoes` are those it was made of. Its residual becomes
/// that of the new field, each echo's taken between −π and π; its precision, which is that of the
/// Cramér–Rao bound, stays. `radians_per_ppm_second` is
/// [`crate::scan::GradientEchoScan::radians_per_ppm_second`].
pub fn refine_field(fit: &mut FieldFit, echoes: &[Echo], mask: &Mask, radians_per_ppm_second: f64) {
    let per_ppm = radians_per_ppm_second as f32;
    let FieldFit { field_ppm, residual_rad, .. } = fit;
    let outputs = field_ppm.data_mut().par_iter_mut().zip(residual_rad.data_mut());
    outputs.enumerate().for_each(|(voxel, (field, residual))| {
        if mask.data()[voxel] && *residual > SAME_RAD {
            let (rate, left) = refined(echoes, voxel, *field * per_ppm);
            *field = rate / per_ppm;
            *residual = left;
        }
    });
}

/// The rate in radians per second, and the root mean square residual in radians.
fn refined(echoes: &[Echo], voxel: usize, mut rate: f32) -> (f32, f32) {
    let values = || {
        echoes.iter().map(|echo| {
            let weight = echo.magnitude.data()[voxel].powi(2);
            (weight, echo.echo_time_s as f32, echo.phase_rad.data()[voxel])
        })
    };
    let square: f32 = values().map(|(weight, time, _)| weight * time * time).sum();
    if square <= 0.0 {
        return (rate, 0.0);
    }
    let last_time = echoes.last().map_or(0.0, |echo| echo.echo_time_s as f32);
    for _ in 0..MOST_STEPS {
        let slope: f32 = values()
            .map(|(weight, time, phase)| weight * time * wrapped(phase - rate * time).sin())
            .sum();
        let step = slope / square;
        rate += step;
        if step.abs() * last_time < LAST_STEP_RAD {
            break;
        }
    }
    let (mut left, mut weights) = (0.0, 0.0);
    for (weight, time, phase) in values() {
        left += weight * wrapped(phase - rate * time).powi(2);
        weights += weight;
    }
    (rate, (left / weights).sqrt())
}
