//! The brain, from magnitude, phase quality and decay.

mod fluid;

use deepmir_volume::components::Connectivity;
use deepmir_volume::morphology::{
    close_mm, dilate_mm, erode_mm, fill_holes, largest_component, open_mm,
};
use deepmir_volume::{
    Interpolation, Mask, Volume, gaussian, resample, resample_to_spacing, statistics,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ReconError;
use crate::phase::phase_quality;
use crate::scan::GradientEchoScan;

/// How the brain is found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrainConfig {
    /// Signal of the darkest brain over the signal of its surroundings (medians within centimetres).
    pub signal_fraction: f32,
    /// Phase quality below which a voxel is bone or air.
    pub phase_quality: f32,
    /// Half the width in millimetres of the bridges (optic nerves, vessels) between the brain and
    /// what lies outside the skull.
    pub bridge_radius_mm: f32,
    /// Signal of the brightest fluid over the signal of tissue, both at echo time zero.
    pub fluid_signal: f32,
    /// Decay (R2*) of the fastest fluid over the median decay of the brain.
    pub fluid_decay: f32,
    /// Half the width in millimetres of the widest sulcus that counts as brain, fluid and all; wider ones
    /// are cisterns.
    pub sulcus_radius_mm: f32,
}

impl Default for BrainConfig {
    fn default() -> Self {
        Self {
            signal_fraction: 0.55,
            phase_quality: 0.5,
            bridge_radius_mm: 10.0,
            fluid_signal: 0.8,
            fluid_decay: 0.45,
            sulcus_radius_mm: 3.5,
        }
    }
}

/// Voxel size of the search in millimetres.
const COARSE_MM: f64 = 2.0;
/// Thickness of what is taken off the brain's outside where fluid cannot be told from tissue, millimetres.
const MEMBRANE_MM: f32 = 0.75;
/// A stripped image is zero in at least this part of its voxels.
const ZEROS_OF_STRIPPED: f64 = 0.2;
/// What was found makes up at least this part of a stripped image's signal.
const BRAIN_OF_STRIPPED: f64 = 0.9;

/// Root of the sum of squared magnitudes over all echoes.
pub fn combined_magnitude(scan: &GradientEchoScan) -> Volume<f32> {
    let echoes = scan.echoes();
    let mut sum = echoes[0].magnitude.clone();
    sum.data_mut().par_iter_mut().enumerate().for_each(|(voxel, value)| {
        let squares = echoes.iter().map(|echo| echo.magnitude.data()[voxel].powi(2));
        *value = squares.sum::<f32>().sqrt();
    });
    sum
}

/// Finds the brain in a whole head or takes what is not zero in a skull-stripped image.
///
/// Tissue is where the magnitude, divided by its own surroundings, and the phase quality (see
/// [`crate::phase::phase_quality`]) are both high: bone has neither. Tissue further than
/// `bridge_radius_mm` from anything else falls apart into brain and the rest; the largest part grows
/// back into the tissue around it, and gaps (sulci, vessels, lesions) are closed. Of that, the fluid
/// outside the brain is left out: it is darker than tissue at echo time zero, or decays more slowly.
///
/// # Errors
/// [`ReconError::EmptyMask`] if nothing is left.
pub fn find_brain(scan: &GradientEchoScan, config: &BrainConfig) -> Result<Mask, ReconError> {
    let magnitude = &combined_magnitude(scan);
    let signal = magnitude.map(|&value| value > 0.0);
    let zeros = 1.0 - signal.count() as f64 / signal.data().len() as f64;
    let tissue = tissue(magnitude, &phase_quality(scan.echoes()), config);
    let brain = brain_of(&tissue, config.bridge_radius_mm);
    if zeros >= ZEROS_OF_STRIPPED {
        let whole = fill_holes(&largest_component(&signal, Connectivity::Six));
        if brain.count() as f64 >= BRAIN_OF_STRIPPED * whole.count() as f64 {
            return Ok(whole);
        }
    }
    if brain.count() == 0 {
        let reason = "no brain was found in the magnitude".to_owned();
        return Err(ReconError::EmptyMask { reason });
    }
    let parenchyma = fluid::without_fluid(scan, &brain, config);
    Ok(parenchyma.unwrap_or_else(|| erode_mm(&brain, MEMBRANE_MM)))
}

/// Where magnitude and phase quality are those of tissue.
fn tissue(magnitude: &Volume<f32>, quality: &Volume<f32>, config: &BrainConfig) -> Mask {
    let surroundings = surroundings(magnitude);
    let quality = gaussian::smooth(quality, [0.7; 3]);
    let mut tissue = Volume::filled(*magnitude.grid(), false);
    tissue.data_mut().par_iter_mut().enumerate().for_each(|(voxel, value)| {
        let signal = magnitude.data()[voxel];
        *value = signal > config.signal_fraction * surroundings.data()[voxel]
            && quality.data()[voxel] > config.phase_quality;
    });
    tissue
}

/// The mean signal of what is not air within about three centimetres.
fn surroundings(magnitude: &Volume<f32>) -> Volume<f32> {
    let coarse = coarse(magnitude, 2.0 * COARSE_MM);
    let mut positive: Vec<f32> =
        coarse.data().iter().copied().filter(|&value| value > 0.0).collect();
    let most = statistics::quantile(&mut positive, 0.98).unwrap_or(0.0);
    let head = coarse.map(|&value| f32::from(value > 0.2 * most));
    let mut signal = coarse;
    signal.data_mut().iter_mut().zip(head.data()).for_each(|(value, &head)| *value *= head);
    let sigma_mm = [25.0; 3];
    let (mut sum, weight) =
        (gaussian::smooth(&signal, sigma_mm), gaussian::smooth(&head, sigma_mm));
    // Far from the head its own level stands in, so that noise there is not taken for tissue.
    for (value, &weight) in sum.data_mut().iter_mut().zip(weight.data()) {
        *value = if weight > 0.05 { *value / weight } else { most };
    }
    resample(&sum, magnitude.grid(), Interpolation::Linear, most)
}

fn coarse(volume: &Volume<f32>, spacing_mm: f64) -> Volume<f32> {
    let sizes = volume.grid().voxel_sizes_mm().map(|size| size.max(spacing_mm));
    resample_to_spacing(volume, sizes, Interpolation::Linear).unwrap_or_else(|_| volume.clone())
}

fn brain_of(tissue: &Mask, bridge_radius_mm: f32) -> Mask {
    let fraction = tissue.map(|&inside| f32::from(inside));
    let coarse = coarse(&fraction, COARSE_MM).map(|&part| part > 0.5);
    let core = largest_component(&erode_mm(&coarse, bridge_radius_mm), Connectivity::Six);
    // Back to where the core was eroded from, and round corners that it could not enter.
    let grown = dilate_mm(&core, bridge_radius_mm + COARSE_MM as f32);
    let mut brain = coarse;
    brain.data_mut().iter_mut().zip(grown.data()).for_each(|(value, &grown)| *value &= grown);
    let brain = largest_component(&open_mm(&brain, 4.0), Connectivity::Six);
    let brain = fill_holes(&close_mm(&brain, 4.0));

    // The fine edge: tissue within half a coarse voxel of the coarse brain, and what it encloses.
    let near = dilate_mm(&brain, 1.0).map(|&inside| f32::from(inside));
    let inner = erode_mm(&brain, 4.0).map(|&inside| f32::from(inside));
    let near = resample(&near, tissue.grid(), Interpolation::Linear, 0.0);
    let inner = resample(&inner, tissue.grid(), Interpolation::Linear, 0.0);
    let mut fine = tissue.clone();
    fine.data_mut().par_iter_mut().enumerate().for_each(|(voxel, value)| {
        *value = near.data()[voxel] > 0.5 && (*value || inner.data()[voxel] > 0.5);
    });
    let fine = largest_component(&open_mm(&fine, 1.0), Connectivity::Six);
    fill_holes(&close_mm(&fine, 3.0))
}
