//! Finding the rigid transform.

use deepmir_volume::{Interpolation, Mask, Volume, morphology, resample, resample_to_spacing};
use serde::{Deserialize, Serialize};

use super::bias::{BiasConfig, correct_bias};
use super::information::{Information, Similarity};
use super::powell::maximise;
use super::transform::RigidTransform;
use crate::ReconError;

/// How the registration is done, and what counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationConfig {
    /// Distance of sampled points and voxel size of the finest step, millimetres.
    pub finest_mm: f64,
    /// Smallest part of the fixed mask that must lie in the moving image.
    pub least_overlap: f64,
    /// How much sharper the similarity must be than a centimetre away: its excess over independent
    /// images, over the same ten millimetres off.
    pub least_sharpness: f64,
}

impl Default for RegistrationConfig {
    fn default() -> Self {
        Self { finest_mm: 1.5, least_overlap: 0.6, least_sharpness: 1.2 }
    }
}

/// A transform that was found and how good it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Registration {
    /// From fixed to moving millimetres.
    pub transform: RigidTransform,
    /// Normalised mutual information: 1 for independent images, 2 for equal ones.
    pub similarity: f64,
    /// Part of the fixed mask that lies in the moving image.
    pub overlap: f64,
    /// Excess of the similarity over 1, over the mean of the same 10 mm off along each axis.
    pub sharpness: f64,
}

/// Radians of the rotations that are tried at first about each axis: nearly 14 degrees.
const FIRST_ROTATION_RAD: f64 = 0.24;
/// Starts that are followed up at the coarsest step.
const FOLLOWED: usize = 4;
/// How far around the mask is compared, too: fluid and bone outline the brain.
const MARGIN_MM: f32 = 4.0;

/// Finds the rigid movement of the head between two images of any contrast: the transform from
/// fixed to moving millimetres that maximises normalised mutual information over the points of
/// `mask` (the brain, in the fixed image) and 4 mm around it.
///
/// The fixed image is evened out first ([`correct_bias`]): one tissue of many brightnesses tells
/// little of the other image, and a wrong place may then tell more than the right one.
///
/// Coarse to fine (6, 3, then `finest_mm`), by Powell's method, from the best of rotations about
/// each axis around two starts: the scanner's coordinates, and equal centres of signal. The same
/// images give the same transform, whatever the number of threads.
///
/// # Errors
/// [`ReconError::Registration`] if too little overlaps or the maximum is not sharp;
/// [`ReconError::EmptyMask`] if there is nothing to compare.
pub fn register_rigid(
    fixed: &Volume<f32>,
    mask: &Mask,
    moving: &Volume<f32>,
    config: &RegistrationConfig,
) -> Result<Registration, ReconError> {
    let finest = if config.finest_mm.is_finite() { config.finest_mm.clamp(0.3, 5.0) } else { 1.5 };
    let spacings = [6.0_f64.max(finest), 3.0_f64.max(finest), finest];
    let centre_mm = centre_of(&mask.map(|&inside| f32::from(inside))).ok_or_else(|| {
        ReconError::EmptyMask { reason: "the mask to register in is empty".into() }
    })?;
    let signal_centre = centre_of(moving).ok_or_else(|| ReconError::Registration {
        reason: "the moving image is zero everywhere".to_owned(),
    })?;
    let fixed_centre = centre_of(fixed).unwrap_or(centre_mm);
    let even = correct_bias(fixed, mask, &BiasConfig::default());
    let (fixed, mask) = (&even, &morphology::dilate_mm(mask, MARGIN_MM));
    let shift: [f64; 3] = std::array::from_fn(|axis| signal_centre[axis] - fixed_centre[axis]);

    let coarse = level(fixed, mask, moving, spacings[0])?;
    let mut starts = Vec::new();
    for shift in [[0.0; 3], shift] {
        for number in 0..27 {
            let turn = |n: usize| (n % 3) as f64 - 1.0;
            let rotation = [turn(number), turn(number / 3), turn(number / 9)];
            let [a, b, c] = rotation.map(|turn| turn * FIRST_ROTATION_RAD);
            let start = [a, b, c, shift[0], shift[1], shift[2]];
            starts.push((score(&coarse, &start, centre_mm), start));
        }
    }
    starts.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut best: Option<(f64, [f64; 6])> = None;
    for (_, start) in starts.into_iter().take(FOLLOWED) {
        let (point, value) = climb(&coarse, start, centre_mm, 1.0);
        if best.is_none_or(|(highest, _)| value > highest) {
            best = Some((value, point));
        }
    }
    let mut point = best.map(|(_, point)| point).unwrap_or_default();
    let mut information = coarse;
    for (spacing, scale) in [(spacings[1], 0.4), (spacings[2], 0.15)] {
        information = level(fixed, mask, moving, spacing)?;
        (point, _) = climb(&information, point, centre_mm, scale);
    }
    judge(&information, point, centre_mm, config)
}

/// One resolution: both images with voxels of `spacing_mm` (where theirs are smaller).
fn level(
    fixed: &Volume<f32>,
    mask: &Mask,
    moving: &Volume<f32>,
    spacing_mm: f64,
) -> Result<Information, ReconError> {
    let coarser = |volume: &Volume<f32>| {
        // Half the distance of the points, so that edges stay sharper than the search is coarse.
        let sizes = volume.grid().voxel_sizes_mm().map(|size| size.max(spacing_mm / 2.0));
        resample_to_spacing(volume, sizes, Interpolation::Linear)
    };
    let fixed = coarser(fixed)?;
    let inside = mask.map(|&inside| f32::from(inside));
    let inside = resample(&inside, fixed.grid(), Interpolation::Linear, 0.0);
    let mask = inside.map(|&part| part > 0.5);
    let information = Information::new(&fixed, &mask, coarser(moving)?, spacing_mm);
    if information.point_count() < 50 {
        let reason = "the mask to register in holds too few voxels".to_owned();
        return Err(ReconError::EmptyMask { reason });
    }
    Ok(information)
}

fn transform_of(point: &[f64; 6], centre_mm: [f64; 3]) -> RigidTransform {
    let [a, b, c, x, y, z] = *point;
    RigidTransform { rotation_rad: [a, b, c], shift_mm: [x, y, z], centre_mm }
}

fn similarity(information: &Information, point: &[f64; 6], centre_mm: [f64; 3]) -> Similarity {
    information.similarity(&transform_of(point, centre_mm).affine())
}

/// Similarity, lowered where little overlaps.
fn score(information: &Information, point: &[f64; 6], centre_mm: [f64; 3]) -> f64 {
    let Similarity { information, overlap } = similarity(information, point, centre_mm);
    1.0 + (information - 1.0) * (overlap / 0.5).min(1.0)
}

fn climb(
    information: &Information,
    start: [f64; 6],
    centre_mm: [f64; 3],
    scale: f64,
) -> ([f64; 6], f64) {
    let (angle, length) = (0.06 * scale, 4.0 * scale);
    let steps = [angle, angle, angle, length, length, length];
    maximise(start, steps, 1e-6, |point| score(information, point, centre_mm))
}

fn judge(
    information: &Information,
    point: [f64; 6],
    centre_mm: [f64; 3],
    config: &RegistrationConfig,
) -> Result<Registration, ReconError> {
    let found = similarity(information, &point, centre_mm);
    let mut beside = 0.0;
    for axis in 3..6 {
        for shift in [-10.0, 10.0] {
            let mut off = point;
            off[axis] += shift;
            beside += (similarity(information, &off, centre_mm).information - 1.0) / 6.0;
        }
    }
    let sharpness = (found.information - 1.0) / beside.max(1e-9);
    let registration = Registration {
        transform: transform_of(&point, centre_mm),
        similarity: found.information,
        overlap: found.overlap,
        sharpness,
    };
    let reason = if found.overlap < config.least_overlap {
        format!("only {:.0} % of the brain lies in the other image", 100.0 * found.overlap)
    } else if sharpness < config.least_sharpness {
        format!(
            "the similarity, {:.4}, is only {sharpness:.2} times as far above chance as a \
             centimetre off",
            found.information
        )
    } else {
        return Ok(registration);
    };
    Err(ReconError::Registration { reason })
}

/// The centre of an image's signal in millimetres; `None` if there is none.
fn centre_of(volume: &Volume<f32>) -> Option<[f64; 3]> {
    let grid = volume.grid();
    let (mut sum, mut moments) = (0.0, [0.0; 3]);
    for (index, &value) in volume.data().iter().enumerate() {
        if value > 0.0 {
            let value = f64::from(value);
            let voxel = grid.voxel(index);
            sum += value;
            (0..3).for_each(|axis| moments[axis] += value * voxel[axis] as f64);
        }
    }
    (sum > 0.0).then(|| grid.affine().apply(moments.map(|moment| moment / sum)))
}
