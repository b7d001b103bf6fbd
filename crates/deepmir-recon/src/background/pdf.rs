//! Projection onto dipole fields.

use deepmir_volume::{Mask, Volume};
use rayon::prelude::*;

use super::trend::Trend;
use super::{LocalField, masked};
use crate::conjugate_gradients::solve;
use crate::dipole::dipole_kernel;
use crate::fourier::Fourier;
use crate::padding::{Padding, voxels_in};

/// Room around the image for sources outside it, millimetres.
const MARGIN_MM: f64 = 20.0;

/// Fits the total field, weighted, by sources outside the mask and a polynomial of second order; the rest
/// is local.
///
/// The polynomial is solved for inside each step: without it, a shim of second order stays in the local field,
/// however many steps are made.
pub(super) fn pdf(
    total: &Volume<f32>,
    mask: &Mask,
    weights: &Volume<f32>,
    b0_direction: [f64; 3],
    iterations: usize,
) -> LocalField {
    let padding = Padding::new(total.grid(), voxels_in(total.grid(), MARGIN_MM));
    let outside: Vec<bool> = padding.pad(mask, false).data().iter().map(|inside| !inside).collect();
    let mut weights = padding.pad(&masked(weights, mask), 0.0).into_data();
    weights.par_iter_mut().for_each(|weight| *weight *= *weight);
    let mut fourier = Fourier::new(padding.grid().shape());
    let dipole = dipole_kernel(&fourier, padding.grid().voxel_sizes_mm(), b0_direction);
    let keep_outside = |values: &mut [f32]| {
        values.par_iter_mut().zip(&outside).for_each(|(value, &outside)| {
            if !outside {
                *value = 0.0;
            }
        });
    };
    let Some(trend) = Trend::new(padding.grid().shape(), &weights) else {
        // Nothing is trusted.
        return LocalField { field_ppm: masked(total, mask), mask: mask.clone() };
    };
    let mut right = padding.pad(&masked(total, mask), 0.0).into_data();
    trend.remove_and_weigh(&mut right, &weights);
    fourier.filter(&mut right, &dipole);
    keep_outside(&mut right);
    let mut sources = solve(&right, iterations, 1e-4, |chi, applied| {
        applied.copy_from_slice(chi);
        fourier.filter(applied, &dipole);
        trend.remove_and_weigh(applied, &weights);
        fourier.filter(applied, &dipole);
        keep_outside(applied);
    });
    fourier.filter(&mut sources, &dipole);
    let mut local = padding.pad(&masked(total, mask), 0.0).into_data();
    local.par_iter_mut().zip(&sources).for_each(|(value, &from)| *value -= from);
    trend.remove(&mut local, &weights);
    LocalField { field_ppm: masked(&padding.crop_data(&local), mask), mask: mask.clone() }
}
