//! The fluid around the brain.

use deepmir_volume::components::Connectivity;
use deepmir_volume::distance::distance_to;
use deepmir_volume::morphology::{close_mm, fill_holes, largest_component, not, open_mm};
use deepmir_volume::{BoundingBox, Interpolation, Mask, Volume, gaussian, resample, statistics};
use rayon::prelude::*;

use super::{BrainConfig, coarse};
use crate::scan::GradientEchoScan;

/// Smoothing of the magnitudes against noise, millimetres.
const SMOOTHING_MM: f64 = 0.7;
/// Reach of the mean that the brain's own level is taken from (standard deviation), and the voxels
/// that it is taken on, millimetres.
const LEVEL_SIGMA_MM: f64 = 20.0;
const LEVEL_VOXEL_MM: f64 = 4.0;
/// Decay in units of the brain's median that signal is carried back to echo time zero by, at most: what
/// decays faster (veins, lesions, noise) is not made brighter still.
const MOST_DECAY: f32 = 4.0;
/// Half the width of membranes that hang on the brain, millimetres.
const MEMBRANE_RADIUS_MM: f32 = 1.0;
/// Fluid deeper than this, millimetres, lies in ventricles: they are open to cisterns.
const VENTRICLE_DEPTH_MM: f32 = 20.0;
/// Part of what was taken for brain that tissue makes up at the least; where less is left, fluid could
/// not be told from tissue in these images.
const LEAST_TISSUE: f64 = 0.5;

/// `brain` without the fluid of cisterns and of the vertex: the tissue inside, and what it encloses or
/// leaves open by less than twice `sulcus_radius_mm`.
///
/// Fluid is darker than tissue at echo time zero (long T1) or decays slowly. With one echo the
/// first sign alone is there, which may not show in images with little T1 weighting. `None` if less
/// than half of `brain` would count as tissue: then nothing was told apart.
pub(super) fn without_fluid(
    scan: &GradientEchoScan,
    brain: &Mask,
    config: &BrainConfig,
) -> Option<Mask> {
    let place = BoundingBox::around(brain)?;
    let place = place.grown([2; 3], scan.grid());
    let inside = brain.crop(&place);
    let tissue = tissue(scan, &place, &inside, config);
    let tissue = largest_component(&open_mm(&tissue, MEMBRANE_RADIUS_MM), Connectivity::Six);
    if (tissue.count() as f64) < LEAST_TISSUE * inside.count() as f64 {
        return None;
    }
    let mut whole = close_mm(&tissue, config.sulcus_radius_mm);
    let depth_mm = distance_to(&not(&inside));
    whole.data_mut().iter_mut().zip(depth_mm.data()).for_each(|(value, &depth_mm)| {
        *value |= depth_mm > VENTRICLE_DEPTH_MM;
    });
    let mut whole = fill_holes(&whole);
    whole.data_mut().iter_mut().zip(inside.data()).for_each(|(value, &inside)| *value &= inside);
    let mut result = Volume::filled(*brain.grid(), false);
    result.paste(&whole, &place);
    Some(result)
}

/// What is inside and no fluid.
fn tissue(
    scan: &GradientEchoScan,
    place: &BoundingBox,
    inside: &Mask,
    config: &BrainConfig,
) -> Mask {
    let [first, .., last] = scan.echoes() else {
        let first = smoothed(&scan.echoes()[0].magnitude, place);
        return darker_left_out(&first, inside.clone(), inside, config);
    };
    let apart_s = (last.echo_time_s - first.echo_time_s) as f32;
    let (mut signal, late) = (smoothed(&first.magnitude, place), smoothed(&last.magnitude, place));
    let mut decay = late;
    decay.data_mut().par_iter_mut().zip(signal.data()).for_each(|(late, &early)| {
        *late = (early.max(f32::MIN_POSITIVE) / late.max(f32::MIN_POSITIVE)).ln() / apart_s;
    });
    let rates = decay.data().iter().zip(inside.data()).filter(|(_, inside)| **inside);
    let mut rates: Vec<f32> = rates.map(|(&rate, _)| rate).collect();
    let typical = statistics::median(&mut rates).unwrap_or(0.0);
    // Noise that does not decay says nothing about fluid.
    let slow = if typical > 0.0 { config.fluid_decay * typical } else { f32::NEG_INFINITY };
    let mut tissue = inside.clone();
    tissue
        .data_mut()
        .iter_mut()
        .zip(decay.data())
        .for_each(|(tissue, &rate)| *tissue &= rate >= slow);
    let time_s = first.echo_time_s as f32;
    signal.data_mut().par_iter_mut().zip(decay.data()).for_each(|(signal, &rate)| {
        *signal *= (rate.clamp(0.0, MOST_DECAY * typical.max(0.0)) * time_s).exp();
    });
    darker_left_out(&signal, tissue, inside, config)
}

/// `tissue` without what is darker than its surroundings in it.
fn darker_left_out(
    signal: &Volume<f32>,
    mut tissue: Mask,
    inside: &Mask,
    config: &BrainConfig,
) -> Mask {
    // Once with all of it, then without the fluid that the first pass saw.
    for _ in 0..2 {
        let level = level(signal, &tissue);
        let kept = tissue.data_mut().par_iter_mut().zip(inside.data()).zip(signal.data());
        kept.zip(level.data()).for_each(|(((tissue, &inside), &signal), &level)| {
            *tissue &= inside && signal > config.fluid_signal * level;
        });
    }
    tissue
}

fn smoothed(magnitude: &Volume<f32>, place: &BoundingBox) -> Volume<f32> {
    gaussian::smooth(&magnitude.crop(place), [SMOOTHING_MM; 3])
}

/// The mean signal of tissue within centimetres.
fn level(signal: &Volume<f32>, tissue: &Mask) -> Volume<f32> {
    let weight = tissue.map(|&tissue| f32::from(tissue));
    let mut sum = signal.clone();
    sum.data_mut().iter_mut().zip(weight.data()).for_each(|(value, &weight)| *value *= weight);
    let wide = |volume: &Volume<f32>| {
        gaussian::smooth(&coarse(volume, LEVEL_VOXEL_MM), [LEVEL_SIGMA_MM; 3])
    };
    let (mut mean, weight) = (wide(&sum), wide(&weight));
    for (value, &weight) in mean.data_mut().iter_mut().zip(weight.data()) {
        *value /= weight.max(1e-3);
    }
    let everywhere = mean.data().iter().sum::<f32>() / mean.data().len() as f32;
    resample(&mean, signal.grid(), Interpolation::Linear, everywhere)
}
