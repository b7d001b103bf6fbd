//! The field where late echoes do not follow the early ones.

use deepmir_volume::{Mask, Volume};
use rayon::prelude::*;

use super::fit::{Echoes, FieldFit};
use crate::scan::Echo;

/// Fits the line again where it leaves more than `largest_residual_rad`: without the last echo, then
/// without the last two, until the others lie on a line.
///
/// Around lesions and sinuses the field varies within a voxel, whose phase then follows the mean
/// field at first only.
///
/// `fit` is that of [`super::fit_field`] of the same arguments. Where echoes are left out, the
/// residual is `largest_residual_rad`: such a field counts for less than one that all echoes show.
pub fn leave_out_late_echoes(
    fit: &mut FieldFit,
    echoes: &[Echo],
    unwrapped: &[Volume<f32>],
    mask: &Mask,
    radians_per_ppm_second: f64,
    largest_residual_rad: f32,
) {
    let all = Echoes::new(echoes, unwrapped);
    let to_ppm = 1.0 / radians_per_ppm_second as f32;
    let FieldFit { field_ppm, residual_rad, precision } = fit;
    let outputs =
        field_ppm.data_mut().par_iter_mut().zip(residual_rad.data_mut()).zip(precision.data_mut());
    outputs.enumerate().for_each(|(voxel, ((field, residual), precision))| {
        if !mask.data()[voxel] || *residual <= largest_residual_rad {
            return;
        }
        let early = (1..echoes.len())
            .rev()
            .filter_map(|count| all.line(count, voxel))
            .find(|line| line.residual_rad <= largest_residual_rad);
        if let Some(line) = early {
            *field = line.slope * to_ppm;
            *residual = largest_residual_rad;
            *precision = line.precision;
        }
    });
}
