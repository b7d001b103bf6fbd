//! A head that needs no data: hemispheres with folded cortex, ventricles, nuclei, brainstem and
//! cerebellum, drawn from formulas and seeded noise in the coordinates of the MNI template.

mod cerebrum;
mod deep;
mod hindbrain;

use deepmir_volume::{Affine, Grid, Volume, VolumeError};
use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;

use crate::config::uniform;
use crate::structure::Structure;
use cerebrum::Cortex;
pub(crate) use cerebrum::tentorium_height;
use deep::DeepShape;
pub(crate) use deepmir_volume::shapes::{Point, ellipsoid, ramp, smooth_union, tube, turned};
use hindbrain::Cerebellum;

/// The MNI template is larger than most brains: its millimetres times this are a person's.
pub(crate) const TEMPLATE_SCALE: f64 = 0.92;

/// Voxel size of the built-in label map in millimetres.
const SPACING_MM: f64 = 0.8;

/// Draws a brain; what is not brain is left as air. `atrophy` is 0 for none to about 1.5.
///
/// # Errors
/// If the volume does not fit in memory.
pub(crate) fn brain(
    atrophy: f64,
    generator: &mut ChaCha8Rng,
) -> Result<Volume<Structure>, VolumeError> {
    let shape = DeepShape {
        ventricles: uniform([0.85, 1.05], generator) + 0.55 * atrophy,
        third_half_width_mm: uniform([1.2, 1.8], generator) + 2.0 * atrophy,
        nuclei: uniform([0.95, 1.06], generator) - 0.06 * atrophy,
    };
    let cortex = Cortex::draw(atrophy, generator);
    let cerebellum = Cerebellum::draw(0.6 * atrophy, generator);
    let structure = |p: Point| structure(p, &shape, &cortex, &cerebellum);
    let (low, high) = ([-90.0, -126.0, -150.0], [90.0, 106.0, 92.0]);
    let count = |axis: usize| ((high[axis] - low[axis]) / SPACING_MM) as usize;
    let grid =
        Grid::new([count(0), count(1), count(2)], Affine::from_spacing([SPACING_MM; 3], low))?;
    let mut labels = vec![Structure::Air; grid.len()];
    let [nx, ny, _] = grid.shape();
    labels.par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
        for (index, label) in slice.iter_mut().enumerate() {
            let place = grid.position_mm([index % nx, index / nx, k]);
            *label = structure(place.map(|mm| mm / TEMPLATE_SCALE));
        }
    });
    Volume::new(grid, labels)
}

/// The structure at a place in MNI millimetres.
fn structure(p: Point, shape: &DeepShape, cortex: &Cortex, cerebellum: &Cerebellum) -> Structure {
    let beside = p[0].abs() > 76.0 || p[1] > 80.0 || p[1] < -112.0;
    let below = p[2] < -78.0 && p[0].abs() > 12.0;
    if beside || below || p[2] > 84.0 {
        return Structure::Air;
    }
    let near_stem = p[0].abs() < 34.0 && (-66.0..12.0).contains(&p[1]) && p[2] < 14.0;
    if near_stem && hindbrain::fourth_ventricle(p) < 0.0 {
        return Structure::FourthVentricle;
    }
    let stem = if near_stem { hindbrain::brainstem(p) } else { 20.0 };
    if let Some(structure) = shape.structure(p) {
        // The midbrain reaches into the ventral diencephalon.
        let stem_goes_first =
            structure == Structure::VentralDiencephalon && stem < 0.0 && p[2] < -10.0;
        if !stem_goes_first {
            return structure;
        }
    }
    if stem < 0.0 {
        return Structure::Brainstem;
    }
    if near_stem && p[2] < -60.0 && hindbrain::spinal_cord(p) < 0.0 {
        return Structure::SpinalCord;
    }
    if p[1] < -18.0 && p[2] < 6.0 {
        let hindbrain = hindbrain::cerebellum(p);
        if hindbrain < 0.0 {
            return cerebellum.structure(p, -hindbrain);
        }
    }
    if p[2] < -52.0 {
        return Structure::Air;
    }
    let outline = cerebrum::outline(p);
    let callosum = cerebrum::corpus_callosum(p);
    if callosum < 0.0 {
        return Structure::WhiteMatter;
    }
    if outline < 0.0 {
        if cerebrum::core(p) < 0.0 {
            return Structure::WhiteMatter;
        }
        return cortex.structure(p, -outline);
    }
    // Septum and fornix between the ventricles, the lamina terminalis in front of the third.
    let septum = p[0].abs() < 1.0
        && (-28.0..26.0).contains(&p[1])
        && (8.0..22.0).contains(&p[2])
        && cerebrum::core([6.0, p[1], p[2]]) < 0.0;
    if septum {
        return Structure::WhiteMatter;
    }
    Structure::Air
}
