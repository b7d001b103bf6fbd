//! Regularised SHARP.

use deepmir_volume::distance::distance_to;
use deepmir_volume::morphology::not;
use deepmir_volume::{Mask, Volume};
use rayon::prelude::*;

use super::sphere::ball_kernel;
use super::{LocalField, masked};
use crate::conjugate_gradients::solve;
use crate::fourier::Fourier;
use crate::padding::Padding;

/// The smallest field whose difference from its own means over balls is that of the total field,
/// wherever the ball stays inside the mask.
pub(super) fn resharp(
    total: &Volume<f32>,
    mask: &Mask,
    radius_mm: f64,
    tikhonov: f32,
    iterations: usize,
) -> LocalField {
    let padding = Padding::new(total.grid(), [2; 3]);
    let inside = padding.pad(mask, false);
    let depth_mm = distance_to(&not(&inside));
    let deep: Vec<bool> = depth_mm.data().iter().map(|&depth| depth > radius_mm as f32).collect();
    let mut fourier = Fourier::new(padding.grid().shape());
    let sizes = padding.grid().voxel_sizes_mm();
    let mut filter = ball_kernel(&mut fourier, sizes, radius_mm);
    filter.iter_mut().for_each(|value| *value = 1.0 - *value);

    let keep_deep = |values: &mut [f32]| {
        values.par_iter_mut().zip(&deep).for_each(|(value, &deep)| {
            if !deep {
                *value = 0.0;
            }
        });
    };
    let mut right = padding.pad(&masked(total, mask), 0.0).into_data();
    fourier.filter(&mut right, &filter);
    keep_deep(&mut right);
    fourier.filter(&mut right, &filter);
    let local = solve(&right, iterations, 1e-4, |field, applied| {
        applied.copy_from_slice(field);
        fourier.filter(applied, &filter);
        keep_deep(applied);
        fourier.filter(applied, &filter);
        applied.par_iter_mut().zip(field).for_each(|(to, &from)| *to += tikhonov * from);
    });
    let mask = padding.crop_data(&deep);
    LocalField { field_ppm: masked(&padding.crop_data(&local), &mask), mask }
}
