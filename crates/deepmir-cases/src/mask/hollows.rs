//! Hollows of a mask: where lesions are that the mask left out for being dark.

use deepmir_volume::components::{Connectivity, components};
use deepmir_volume::{Mask, Volume, morphology};

/// A hollow whose mouth is no wider than twice this is closed before it is filled: a lesion at the surface, or one that
/// reaches into a slice that the mask does not have. Sulci as wide stay as they are.
const MOUTH_MM: f32 = 2.0;
/// A mask that is inside at this share of the image's sides, and holds a hollow of this share and volume, is inverted.
const SIDES: f64 = 0.9;
const HOLLOW_SHARE: f64 = 0.15;
const HOLLOW_ML: f64 = 50.0;

/// The hollows that were filled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hollows {
    pub(super) count: usize,
    pub(super) millilitres: f64,
}

/// Fills what a mask encloses: in three dimensions, in the first and last slices along each axis, where the scan cuts the
/// brain, and behind a narrow mouth.
pub(super) fn fill(mask: &Mask) -> (Mask, Hollows) {
    let mut filled = mask.clone();
    fill_faces(&mut filled);
    let filled = fill_behind_mouths(&morphology::fill_holes(&filled));
    let mut added = filled.clone();
    added.data_mut().iter_mut().zip(mask.data()).for_each(|(new, &old)| *new &= !old);
    let hollows = Hollows {
        count: components(&added, false, Connectivity::TwentySix).len(),
        millilitres: crate::brain::millilitres(&added),
    };
    (filled, hollows)
}

/// Whether the brain is what a mask leaves out.
pub(super) fn is_inverted(mask: &Mask) -> bool {
    let outside = morphology::not(mask);
    let share = outside.count() as f64 / outside.data().len() as f64;
    if share < HOLLOW_SHARE || crate::brain::millilitres(&outside) < HOLLOW_ML {
        return false;
    }
    let pairs = (0..3).filter(|&axis| {
        [0, mask.shape()[axis] - 1].into_iter().all(|at| {
            let face = face(mask, axis, at);
            let inside = face.iter().filter(|&&voxel| mask.data()[voxel]).count();
            inside as f64 >= SIDES * face.len() as f64
        })
    });
    pairs.count() >= 2
}

/// The voxels of one slice across an axis, row by row.
fn face(mask: &Mask, axis: usize, at: usize) -> Vec<usize> {
    let shape = mask.shape();
    let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
    let place = |a: usize, b: usize| {
        let mut voxel = [at; 3];
        (voxel[u], voxel[v]) = (a, b);
        mask.grid().index(voxel)
    };
    (0..shape[v])
        .flat_map(|b| (0..shape[u]).map(move |a| (a, b)))
        .map(|(a, b)| place(a, b))
        .collect()
}

/// Fills what is enclosed within the image's outermost slices.
fn fill_faces(mask: &mut Mask) {
    for axis in 0..3 {
        let width = mask.shape()[(axis + 1) % 3];
        for at in [0, mask.shape()[axis] - 1] {
            let voxels = face(mask, axis, at);
            let inside: Vec<bool> = voxels.iter().map(|&voxel| mask.data()[voxel]).collect();
            if inside.iter().all(|&inside| !inside) {
                continue;
            }
            for (voxel, reached) in voxels.iter().zip(from_outside(&inside, width)) {
                mask.data_mut()[*voxel] |= !reached;
            }
        }
    }
}

/// What of the outside of a picture hangs together with its edge.
fn from_outside(inside: &[bool], width: usize) -> Vec<bool> {
    let height = inside.len() / width;
    let mut reached = vec![false; inside.len()];
    let is_edge = |at: usize| {
        let (a, b) = (at % width, at / width);
        a == 0 || b == 0 || a + 1 == width || b + 1 == height
    };
    let mut next: Vec<usize> = (0..inside.len()).filter(|&at| !inside[at] && is_edge(at)).collect();
    next.iter().for_each(|&at| reached[at] = true);
    while let Some(at) = next.pop() {
        let (a, b) = (at % width, at / width);
        let around = [
            (a > 0).then(|| at - 1),
            (a + 1 < width).then(|| at + 1),
            (b > 0).then(|| at - width),
            (b + 1 < height).then(|| at + width),
        ];
        for neighbour in around.into_iter().flatten() {
            if !inside[neighbour] && !reached[neighbour] {
                reached[neighbour] = true;
                next.push(neighbour);
            }
        }
    }
    reached
}

/// Fills the hollows that a closing by [`MOUTH_MM`] would enclose, and their mouths.
fn fill_behind_mouths(mask: &Mask) -> Mask {
    let closed = morphology::close_mm(mask, MOUTH_MM);
    let mut hollows = morphology::fill_holes(&closed);
    hollows
        .data_mut()
        .iter_mut()
        .zip(closed.data())
        .for_each(|(hollow, &closed)| *hollow &= !closed);
    if hollows.count() == 0 {
        return mask.clone();
    }
    let near = morphology::dilate_mm(&hollows, 2.0 * MOUTH_MM);
    let filled = Volume::from_fn(*mask.grid(), |voxel| {
        mask[voxel] || hollows[voxel] || (near[voxel] && closed[voxel])
    });
    morphology::fill_holes(&filled)
}
