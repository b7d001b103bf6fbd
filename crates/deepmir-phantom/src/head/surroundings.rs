//! The head around a brain: fluid, dura, sinuses of veins, skull, cavities, face, scalp and neck.

use deepmir_volume::morphology::{close_mm, dilate_mm, fill_holes, not};
use deepmir_volume::{BoundingBox, Grid, Volume, VolumeError, distance, gaussian};
use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;

use super::cavities;
use super::landmarks::Landmarks;
use crate::builtin::{Point, ellipsoid, ramp, smooth_union, tentorium_height, tube};
use crate::config::uniform;
use crate::noise::Noise;
use crate::structure::Structure;

/// Voxel size of the outline of the skull's inside.
const OUTLINE_MM: f64 = 2.0;

/// Further than this from the skull's inside, one value is drawn for eight voxels.
const FINE_WITHIN_MM: f64 = 13.0;

/// Grows a head around a label map that ends at the brain. Labels of the brain stay; fluid
/// fills the skull; air becomes whatever belongs there. The grid grows if the head needs room.
///
/// # Errors
/// If the grid would be too large.
pub(crate) fn grow(
    labels: &Volume<Structure>,
    landmarks: &Landmarks,
    fluid_mm: f64,
    generator: &mut ChaCha8Rng,
) -> Result<Volume<Structure>, VolumeError> {
    let mut grown = with_room(labels)?;
    let inside = skull_inside(&grown, fluid_mm)?;
    let to_template = landmarks.to_template([0.0, -15.0, 0.0], 200.0);
    let anatomy = Surroundings {
        thickness: Noise::smooth(14.0, 64, 5.0, generator),
        cells: Noise::banded(8.0, 0.25, 64, 2.0, generator),
        skull_mm: uniform([5.5, 7.5], generator),
        scalp_mm: uniform([5.0, 7.5], generator),
    };
    let grid = *grown.grid();
    let to_outline = inside.grid().affine().inverse().after(grid.affine());
    let at = |voxel: [f64; 3]| {
        let outline_mm = f64::from(linear(&inside, to_outline.apply(voxel)));
        (to_template.apply(grid.affine().apply(voxel)), outline_mm)
    };
    let [nx, ny, _] = grid.shape();
    // Two slices at a time: far from the brain, cubes of eight voxels are drawn as one.
    grown.data_mut().par_chunks_mut(2 * nx * ny).enumerate().for_each(|(pair, slices)| {
        for index in 0..slices.len() / (nx * ny) * nx * ny {
            let (i, j, k) = (index % nx, index / nx % ny, index / (nx * ny));
            if !matches!(slices[index], Structure::Air | Structure::CerebrospinalFluid) {
                continue;
            }
            let cube = [i & !1, j & !1].map(|n| n as f64 + 0.5);
            let (place, outline_mm) = at([cube[0], cube[1], 2.0 * pair as f64 + 0.5]);
            let first_of_cube = i.is_multiple_of(2) && j.is_multiple_of(2) && k == 0;
            slices[index] = if outline_mm < FINE_WITHIN_MM {
                let (place, outline_mm) = at([i as f64, j as f64, (2 * pair + k) as f64]);
                anatomy.structure(place, outline_mm)
            } else if first_of_cube {
                anatomy.structure(place, outline_mm)
            } else {
                // No brain is out here, so the cube's first voxel has been drawn.
                slices[(i & !1) + nx * (j & !1)]
            };
        }
    });
    Ok(grown)
}

/// The labels on a grid with room for skull, face and neck.
fn with_room(labels: &Volume<Structure>) -> Result<Volume<Structure>, VolumeError> {
    let brain = labels.map(|structure| structure.is_brain());
    let Some(tight) = BoundingBox::around(&brain) else {
        return Ok(labels.clone());
    };
    let size = labels.grid().voxel_sizes_mm();
    let (before_mm, after_mm) = ([24.0, 26.0, 85.0], [24.0, 45.0, 24.0]);
    let voxels = |mm: f64, axis: usize| (mm / size[axis]).ceil() as usize;
    let missing_before: [usize; 3] = std::array::from_fn(|axis| {
        voxels(before_mm[axis], axis).saturating_sub(tight.start()[axis])
    });
    let shape = std::array::from_fn(|axis| {
        let needed = tight.end()[axis] + voxels(after_mm[axis], axis);
        missing_before[axis] + needed.max(labels.shape()[axis])
    });
    let affine = labels.grid().affine().shifted(missing_before.map(|count| -(count as f64)));
    let mut roomy = Volume::filled(Grid::new(shape, affine)?, Structure::Air);
    let end = std::array::from_fn(|axis| missing_before[axis] + labels.shape()[axis]);
    if let Some(place) = BoundingBox::new(missing_before, end) {
        roomy.paste(labels, &place);
    }
    Ok(roomy)
}

/// Signed distance in millimetres to the inner surface of the skull (negative inside).
fn skull_inside(labels: &Volume<Structure>, fluid_mm: f64) -> Result<Volume<f32>, VolumeError> {
    let coarse = labels.grid().with_spacing([OUTLINE_MM; 3])?;
    let nearest = deepmir_volume::resample_labels(labels, &coarse, Structure::Air);
    let brain = nearest.map(|structure| structure.is_brain());
    let closed = fill_holes(&close_mm(&brain, 9.0));
    let inside = dilate_mm(&closed, fluid_mm as f32);
    let outer = distance::distance_to(&inside);
    let inner = distance::distance_to(&not(&inside));
    let mut signed = outer;
    signed.data_mut().iter_mut().zip(inner.data()).for_each(|(outer, inner)| *outer -= inner);
    Ok(gaussian::smooth(&signed, [1.5; 3]))
}

fn linear(volume: &Volume<f32>, at: [f64; 3]) -> f32 {
    let shape = volume.shape();
    let clamped: [f64; 3] =
        std::array::from_fn(|axis| at[axis].clamp(0.0, shape[axis] as f64 - 1.0));
    let low = clamped.map(|index| index as usize);
    let part: [f32; 3] = std::array::from_fn(|axis| (clamped[axis] - low[axis] as f64) as f32);
    let mut sum = 0.0;
    for corner in 0..8_usize {
        let up: [usize; 3] = std::array::from_fn(|axis| corner >> axis & 1);
        let weight: f32 =
            (0..3).map(|axis| if up[axis] == 1 { part[axis] } else { 1.0 - part[axis] }).product();
        let voxel = std::array::from_fn(|axis| (low[axis] + up[axis]).min(shape[axis] - 1));
        sum += weight * volume[voxel];
    }
    sum
}

struct Surroundings {
    thickness: Noise,
    cells: Noise,
    skull_mm: f64,
    scalp_mm: f64,
}

impl Surroundings {
    /// `p` in MNI millimetres, `outline` the signed distance to the skull's inside.
    fn structure(&self, p: Point, outline: f64) -> Structure {
        if outline < 0.0 {
            return intracranial(p, -outline);
        }
        let central = p[0].abs() < 20.0 && p[2] < -40.0;
        let canal = tube(
            p,
            &[
                ([0.0, -43.0, -66.0], 15.0),
                ([0.0, -52.0, -110.0], 9.5),
                ([0.0, -54.0, -200.0], 9.0),
            ],
        );
        if central && canal < 0.0 {
            return Structure::CerebrospinalFluid;
        }
        let variation = self.thickness.value(p);
        let skull = self.skull_mm + 0.9 * variation;
        let outside = self.outside(p, outline - skull);
        if outside > 0.0 {
            return Structure::Air;
        }
        if outline < 1.3 {
            return Structure::CorticalBone;
        }
        if let Some(structure) = cavities::structure(p, &self.cells) {
            return structure;
        }
        // The base is thinner than the vault.
        let skull = skull * (0.55 + 0.45 * ramp(-40.0, -10.0, p[2]));
        let table = 1.5;
        if outline < skull {
            let marrow = outline > table && outline < skull - table;
            return if marrow { Structure::Marrow } else { Structure::CorticalBone };
        }
        if let Some(structure) = facial_bone(p).or_else(|| vertebra(p)) {
            return structure;
        }
        let fat = self.cells.value([p[0] * 0.35, p[1] * 0.35, p[2] * 0.35]) > 0.9;
        if outside > -3.5 || fat { Structure::SkinAndFat } else { Structure::SoftTissue }
    }

    /// Signed distance to the skin; `from_skull` is the distance to the outer table.
    fn outside(&self, p: Point, from_skull: f64) -> f64 {
        let temple = 3.0 * ramp(40.0, 60.0, p[0].abs()) * ramp(30.0, 0.0, p[2]);
        let vault = from_skull - self.scalp_mm - temple;
        let face = ellipsoid(p, [0.0, 40.0, -62.0], [58.0, 56.0, 72.0]);
        let nose = tube(p, &[([0.0, 88.0, -26.0], 6.0), ([0.0, 104.0, -58.0], 12.0)]);
        let neck = tube(
            p,
            &[
                ([0.0, -22.0, -70.0], 62.0),
                ([0.0, -18.0, -120.0], 58.0),
                ([0.0, -14.0, -210.0], 60.0),
            ],
        );
        let ears = ellipsoid([p[0].abs(), p[1], p[2]], [79.0, -26.0, -34.0], [6.0, 15.0, 24.0]);
        let brow = ellipsoid(p, [0.0, 72.0, -8.0], [34.0, 15.0, 20.0]);
        let vault = smooth_union(vault, brow, 8.0);
        let trunk = smooth_union(smooth_union(vault, face, 14.0), neck, 14.0);
        smooth_union(smooth_union(trunk, nose, 5.0), ears, 4.0)
    }
}

/// Jaw and palate.
fn facial_bone(p: Point) -> Option<Structure> {
    let side = [p[0].abs(), p[1], p[2]];
    let jaw = tube(
        side,
        &[
            ([50.0, 0.0, -50.0], 5.0),
            ([46.0, 6.0, -98.0], 7.0),
            ([24.0, 62.0, -112.0], 7.5),
            ([0.0, 76.0, -112.0], 8.0),
        ],
    );
    let palate = ellipsoid(p, [0.0, 48.0, -76.0], [26.0, 34.0, 4.0]);
    let cheek = tube(
        side,
        &[([56.0, 10.0, -46.0], 3.0), ([54.0, 44.0, -46.0], 4.5), ([36.0, 68.0, -52.0], 4.0)],
    );
    let bone = jaw.min(palate).min(cheek);
    if bone < -2.2 {
        Some(Structure::Marrow)
    } else if bone < 0.0 {
        Some(Structure::CorticalBone)
    } else {
        None
    }
}

/// The column of vertebrae around the spinal canal.
fn vertebra(p: Point) -> Option<Structure> {
    let bodies = tube(
        p,
        &[([0.0, -26.0, -84.0], 9.0), ([0.0, -34.0, -120.0], 10.0), ([0.0, -36.0, -200.0], 11.0)],
    );
    let arch = tube(p, &[([0.0, -52.0, -80.0], 16.0), ([0.0, -54.0, -200.0], 15.0)]);
    let disc = ((p[2] + 200.0) / 17.0).fract() < 0.25;
    let bone = if disc { f64::INFINITY } else { bodies.min(arch) };
    if bone < -1.6 && bodies < -1.6 {
        Some(Structure::Marrow)
    } else if bone < 0.0 {
        Some(Structure::CorticalBone)
    } else {
        None
    }
}

/// Fluid, dura and dural sinuses inside the skull; `depth` is the distance to its inner surface.
fn intracranial(p: Point, depth: f64) -> Structure {
    let side = p[0].abs();
    let tent = tentorium_height(p);
    // The superior sagittal sinus: a wedge under the vault.
    let from_centre = (p[1] + 18.0).hypot(p[2] - 5.0);
    let sagittal = depth < 7.0
        && side < 0.8 + 0.55 * (7.0 - depth)
        && from_centre > 45.0
        && p[1] < 58.0
        && (p[2] > 25.0 || p[1] < -60.0 && p[2] > -14.0);
    let straight =
        tube(p, &[([0.0, -40.0, 6.0], 1.6), ([0.0, -70.0, -2.0], 2.2), ([0.0, -104.0, -8.0], 3.5)])
            < 0.0;
    let transverse = depth < 6.5
        && (p[2] - tent + 1.0).abs() < 0.6 * (7.5 - depth)
        && p[1] < -46.0
        && side > 2.0;
    let sigmoid = depth < 6.0
        && (-56.0..-38.0).contains(&p[1])
        && side > 34.0
        && p[2] < tent
        && (p[1] + 47.0).abs() < 4.0;
    if sagittal || straight || transverse || sigmoid {
        return Structure::Vein;
    }
    if ellipsoid(p, [0.0, 3.0, -32.0], [6.0, 5.0, 4.5]) < 0.0 {
        return Structure::Pituitary;
    }
    let basilar = tube(
        p,
        &[([0.0, -9.5, -20.0], 1.5), ([0.0, -9.0, -34.0], 1.6), ([0.0, -16.0, -48.0], 1.6)],
    );
    let carotid = tube(
        [side, p[1], p[2]],
        &[
            ([9.0, 4.0, -30.0], 2.2),
            ([13.0, 4.0, -20.0], 1.9),
            ([24.0, 3.0, -16.0], 1.5),
            ([36.0, 2.0, -14.0], 1.2),
        ],
    );
    if basilar.min(carotid) < 0.0 {
        return Structure::Artery;
    }
    // Falx and tentorium: sheets of dura in the fluid.
    let over_callosum = (p[1] + 8.0).hypot(1.2 * (p[2] - 2.0)) > 43.0;
    let falx = side < 0.65 && over_callosum && p[2] > -12.0 && p[2] > tent;
    let tentorium = (p[2] - tent).abs() < 0.7 && p[1] < -38.0 - 0.02 * side && side + p[2] > -40.0;
    if falx || tentorium || depth < 0.5 { Structure::Dura } else { Structure::CerebrospinalFluid }
}
