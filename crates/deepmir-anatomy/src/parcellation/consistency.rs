//! What is known of every head: the brain hangs together, each nucleus is one piece, and left and right meet in a plane.

use deepmir_volume::components::{Connectivity, components};
use deepmir_volume::morphology::{dilate, largest_component};
use deepmir_volume::{Mask, Volume};
use nalgebra::{Matrix4, Vector4};

use super::{BRAIN_PROBABILITY, Probabilities, most_probable};
use crate::Tissue;
use crate::network::{SIDE, VOXEL_MM};

/// Further than this from the plane between the halves, the side is that of the plane. Millimetres.
const NEAR_PLANE_MM: f64 = 8.0;
/// Structures of one piece a side.
const PIECES: [Tissue; 7] = [
    Tissue::Caudate,
    Tissue::Putamen,
    Tissue::Pallidum,
    Tissue::Thalamus,
    Tissue::Hippocampus,
    Tissue::VentralDiencephalon,
    Tissue::Brainstem,
];

/// Changes the probabilities accordingly.
pub(super) fn enforce(found: &mut Probabilities) {
    keep_one_brain(found);
    straighten_midline(found);
    keep_pieces(found);
}

fn is_brain(number: u8) -> bool {
    Tissue::ALL[usize::from(number)].is_brain()
}

/// Outside the largest component of the brain nothing is brain.
fn keep_one_brain(found: &mut Probabilities) {
    let brain = |values: &[f32; 16]| Tissue::probability_of_brain(true, values);
    let brain: Mask = found.values.map(|values| brain(values) > BRAIN_PROBABILITY);
    // Thin bridges to what was taken for brain outside do not count.
    let eroded = deepmir_volume::morphology::erode(&brain, Connectivity::Six);
    let core = largest_component(&eroded, Connectivity::Six);
    let allowed = dilate(&dilate(&core, Connectivity::TwentySix), Connectivity::Six);
    for (values, &allowed) in found.values.data_mut().iter_mut().zip(allowed.data()) {
        if allowed {
            continue;
        }
        let mut taken = 0.0;
        for tissue in Tissue::ALL.into_iter().filter(|tissue| tissue.is_brain()) {
            taken += std::mem::take(&mut values[tissue as usize]);
        }
        // What it was taken for besides.
        let rest = if values[Tissue::Background as usize] > values[Tissue::Outside as usize] {
            Tissue::Background
        } else {
            Tissue::Outside
        };
        values[rest as usize] += taken;
    }
}

/// The plane that parts the sides best: `normal · place + offset`, positive to the right, in millimetres if the
/// normal is of length 1.
fn plane(found: &Probabilities) -> Option<([f64; 3], f64)> {
    let grid = found.values.grid();
    let (mut normal_matrix, mut right_side) = (Matrix4::zeros(), Vector4::zeros());
    for (index, values) in found.values.data().iter().enumerate() {
        let (tissue, side) = most_probable(values);
        if side == 0 || !is_brain(tissue) {
            continue;
        }
        let [x, y, z] = grid.voxel(index).map(|at| at as f64 * VOXEL_MM);
        let row = Vector4::new(x, y, z, 1.0);
        normal_matrix += row * row.transpose();
        right_side += row * f64::from(values[SIDE] - 0.5) * 2.0;
    }
    let solution = normal_matrix.lu().solve(&right_side)?;
    let length = solution.fixed_rows::<3>(0).norm();
    (length > 1e-9).then(|| {
        ([solution[0], solution[1], solution[2]].map(|part| part / length), solution[3] / length)
    })
}

fn straighten_midline(found: &mut Probabilities) {
    let Some((normal, offset)) = plane(found) else { return };
    let grid = *found.values.grid();
    for (index, values) in found.values.data_mut().iter_mut().enumerate() {
        let voxel = grid.voxel(index);
        let distance_mm: f64 =
            (0..3).map(|axis| normal[axis] * voxel[axis] as f64 * VOXEL_MM).sum::<f64>() + offset;
        if distance_mm.abs() > NEAR_PLANE_MM {
            values[SIDE] = if distance_mm > 0.0 { 1.0 } else { 0.0 };
        }
    }
}

/// Pieces apart from a structure's largest are something else.
fn keep_pieces(found: &mut Probabilities) {
    let numbers = PIECES.map(|tissue| tissue as u8);
    let codes: Volume<u8> = found.values.map(|values| {
        let (tissue, side) = most_probable(values);
        if numbers.contains(&tissue) { tissue * 4 + side } else { 0 }
    });
    let mut pieces = components(&codes, 0, Connectivity::TwentySix);
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.voxels.len()));
    let mut seen = Vec::new();
    for piece in pieces {
        if !seen.contains(&piece.value) {
            seen.push(piece.value);
            continue;
        }
        let tissue = usize::from(piece.value / 4);
        for voxel in piece.voxels {
            found.values.data_mut()[voxel][tissue] = 0.0;
        }
    }
}
