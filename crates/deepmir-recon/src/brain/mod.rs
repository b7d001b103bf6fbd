//! The brain, from magnitude, phase quality and decay.

mod fluid;
mod plausible;

use deepmir_volume::components::Connectivity;
use deepmir_volume::morphology::{
    close_mm, dilate_mm, erode_mm, fill_holes, largest_component, open_mm,
};
use deepmir_volume::{
    Interpolation, Mask, Volume, Warning, gaussian, resample, resample_to_spacing, statistics,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::plausible::Head;
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
/// Several ways are tried in order ([`Way`]), and the first that gives what can be a brain is taken: of a brain's volume, in
/// the middle of the head, as large on one side as on the other, and not in the neck. Another than the first is told as a
/// warning, `brain_mask_fallback`. A field of view that holds no whole head cannot be judged: there, the first counts.
///
/// Of what is found, the fluid outside the brain is left out: it is darker than tissue at echo time zero, or decays more
/// slowly.
///
/// # Errors
/// [`ReconError::EmptyMask`] if nothing is found that can be a brain.
pub fn find_brain(
    scan: &GradientEchoScan,
    config: &BrainConfig,
) -> Result<(Mask, Option<Warning>), ReconError> {
    let magnitude = &combined_magnitude(scan);
    let quality = &phase_quality(scan.echoes());
    let signal = magnitude.map(|&value| value > 0.0);
    let zeros = 1.0 - signal.count() as f64 / signal.data().len() as f64;
    let head = Head::of(magnitude);
    let mut faults: Vec<String> = Vec::new();
    for way in Way::ALL {
        let brain = way.brain(magnitude, quality, config);
        if way == Way::ALL[0] && zeros >= ZEROS_OF_STRIPPED {
            let whole = fill_holes(&largest_component(&signal, Connectivity::Six));
            if brain.count() as f64 >= BRAIN_OF_STRIPPED * whole.count() as f64 {
                return Ok((whole, None));
            }
        }
        let fault = if brain.count() == 0 {
            Some("nothing was found".to_owned())
        } else {
            head.as_ref().and_then(|head| head.fault_of(&brain))
        };
        if let Some(fault) = fault {
            faults.push(format!("by {}: {fault}", way.name()));
            continue;
        }
        let parenchyma = fluid::without_fluid(scan, &brain, config);
        let brain = parenchyma.unwrap_or_else(|| erode_mm(&brain, MEMBRANE_MM));
        let warning = (!faults.is_empty()).then(|| {
            let message = format!(
                "the brain was found by {}, since the usual way gave none ({}): look at the mask's outline, or give a brain mask: {}",
                way.name(),
                faults.join("; "),
                scan.echoes()[0].name,
            );
            Warning::new("brain_mask_fallback", message)
        });
        return Ok((brain, warning));
    }
    let reason = format!("no brain was found in the magnitude ({})", faults.join("; "));
    Err(ReconError::EmptyMask { reason })
}

/// A way to find the brain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Tissue is where the magnitude, divided by its own surroundings, and the phase quality (see
    /// [`crate::phase::phase_quality`]) are both high: bone has neither. Tissue further than `bridge_radius_mm` from
    /// anything else falls apart into brain and the rest; the largest part grows back into the tissue around it, and gaps
    /// (sulci, vessels, lesions) are closed.
    MagnitudeAndPhase,
    /// The same without the phase, which distortion, ghosts or a poor combination of coils may have spoilt.
    Magnitude,
    /// The same with darker tissue and narrower bridges: where the signal is uneven, less is left that hangs together.
    DarkMagnitude,
}

impl Way {
    const ALL: [Self; 3] = [Self::MagnitudeAndPhase, Self::Magnitude, Self::DarkMagnitude];

    fn name(self) -> &'static str {
        match self {
            Self::MagnitudeAndPhase => "magnitude and phase",
            Self::Magnitude => "the magnitude alone",
            Self::DarkMagnitude => "the magnitude alone with a low threshold",
        }
    }

    fn brain(self, magnitude: &Volume<f32>, quality: &Volume<f32>, config: &BrainConfig) -> Mask {
        let mut config = *config;
        if self == Self::DarkMagnitude {
            config.signal_fraction *= DARKER;
            config.bridge_radius_mm *= NARROWER;
        }
        let quality = (self == Self::MagnitudeAndPhase).then_some(quality);
        brain_of(&tissue(magnitude, quality, &config), config.bridge_radius_mm)
    }
}

/// How much darker tissue and narrower bridges may be where the usual ones give no brain.
const DARKER: f32 = 0.7;
const NARROWER: f32 = 0.6;

/// Where magnitude and phase quality, if it counts, are those of tissue.
fn tissue(magnitude: &Volume<f32>, quality: Option<&Volume<f32>>, config: &BrainConfig) -> Mask {
    let surroundings = surroundings(magnitude);
    let quality = quality.map(|quality| gaussian::smooth(quality, [0.7; 3]));
    let mut tissue = Volume::filled(*magnitude.grid(), false);
    tissue.data_mut().par_iter_mut().enumerate().for_each(|(voxel, value)| {
        let signal = magnitude.data()[voxel];
        *value = signal > config.signal_fraction * surroundings.data()[voxel]
            && quality.as_ref().is_none_or(|quality| quality.data()[voxel] > config.phase_quality);
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
