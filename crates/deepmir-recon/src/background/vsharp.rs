//! SHARP with radii that shrink towards the brain's edge.

use deepmir_volume::distance::distance_to;
use deepmir_volume::morphology::not;
use deepmir_volume::{Mask, Volume};
use rayon::prelude::*;

use super::sphere::ball_kernel;
use super::{LocalField, masked};
use crate::fourier::{Fourier, multiply};
use crate::padding::Padding;

/// Every voxel uses the largest ball that stays inside the mask; the difference from the ball's mean
/// is then deconvolved by the largest ball's filter.
pub(super) fn vsharp(
    total: &Volume<f32>,
    mask: &Mask,
    [smallest_mm, largest_mm]: [f64; 2],
    truncation: f32,
) -> LocalField {
    let padding = Padding::new(total.grid(), [2; 3]);
    let inside = padding.pad(mask, false);
    let field = padding.pad(&masked(total, mask), 0.0);
    let depth_mm = distance_to(&not(&inside));
    let sizes = padding.grid().voxel_sizes_mm();
    let mut fourier = Fourier::new(padding.grid().shape());
    let mut field_spectrum = fourier.spectrum();
    fourier.forward(field.data(), &mut field_spectrum);

    let mut filtered = vec![0.0_f32; field.data().len()];
    let mut done = vec![false; filtered.len()];
    let mut mean = vec![0.0_f32; filtered.len()];
    let mut deconvolution = None;
    for radius_mm in radii_mm(smallest_mm, largest_mm, sizes) {
        let kernel = ball_kernel(&mut fourier, sizes, radius_mm);
        let mut spectrum = field_spectrum.clone();
        multiply(&mut spectrum, &kernel);
        fourier.inverse(&mut spectrum, &mut mean);
        let radius_mm = radius_mm as f32;
        filtered.par_iter_mut().zip(&mut done).enumerate().for_each(|(voxel, (value, done))| {
            if !*done && depth_mm.data()[voxel] > radius_mm {
                *value = field.data()[voxel] - mean[voxel];
                *done = true;
            }
        });
        // A largest ball that fits nowhere is no base for the deconvolution.
        if deconvolution.is_none() && done.iter().any(|&done| done) {
            deconvolution = Some(kernel);
        }
    }
    if let Some(ball) = deconvolution {
        let mut spectrum = field_spectrum;
        fourier.forward(&filtered, &mut spectrum);
        spectrum.par_iter_mut().zip(&ball).for_each(|(value, &ball)| {
            let passed = 1.0 - ball;
            *value *= if passed.abs() > truncation { 1.0 / passed } else { 0.0 };
        });
        fourier.inverse(&mut spectrum, &mut filtered);
    }
    let mask = padding.crop_data(&done);
    let field_ppm = masked(&padding.crop_data(&filtered), &mask);
    LocalField { field_ppm, mask }
}

/// From the largest to the smallest, in steps of a larger voxel's size.
fn radii_mm(smallest: f64, largest: f64, voxel_sizes_mm: [f64; 3]) -> Vec<f64> {
    let step = voxel_sizes_mm.into_iter().fold(1.0, f64::max);
    let steps = ((largest - smallest) / step).ceil().clamp(0.0, 100.0) as usize;
    (0..=steps).map(|n| largest - (largest - smallest) * n as f64 / steps.max(1) as f64).collect()
}
