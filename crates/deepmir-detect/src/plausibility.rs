//! What no classifier's probability overrules: a microbleed is paramagnetic in its middle, and what lies beside a lesion
//! is not one for that.
//!
//! The classifier learned from whole heads. In a small field of view the rims of a lesion are among the strongest
//! blobs, and features of the lesion (the darkness and the probability around a blob, the patch that shows both) speak
//! for them. In ten crops of 23 ml with 16 found microbleeds eight such rims were called microbleeds. Their middles show
//! -0.06 to 0.03 ppm and they lie within 1.5 mm of the lesion. In twelve whole heads no accepted candidate is
//! below 0.1 ppm, but for two where the map has no values.

use deepmir_lesion::{Candidate, LesionClass};
use deepmir_volume::Grid;

use crate::{CandidateImages, DetectionRule};

/// The middle of a candidate: its voxels so near to its centre of mass.
const MIDDLE_MM: f64 = 1.5;
/// A blob so near to a lesion that a network marked is its neighbour.
const NEIGHBOUR_MM: f64 = 2.0;
/// From this susceptibility on a neighbour is a lesion of its own.
const EVIDENCE_PPM: f32 = 0.1;

/// Takes the probability from microbleeds that are diamagnetic in their middles, and from blobs beside a lesion without
/// susceptibility of their own. The first `marked` candidates are regions that a network marked, the others blobs.
pub(crate) fn withdraw_implausible(
    candidates: &mut [Candidate],
    marked: usize,
    rule: &DetectionRule,
    images: &CandidateImages<'_>,
    grid: &Grid,
) {
    let accepted = candidates.iter().enumerate().filter(|(_, candidate)| rule.accepts(candidate));
    let accepted: Vec<(usize, Option<f32>)> =
        accepted.map(|(n, candidate)| (n, middle_ppm(candidate, images, grid))).collect();
    // What a network marked, and blobs with iron in them, are lesions in their own right.
    let is_lesion = |n: usize, middle_ppm: Option<f32>| {
        n < marked || middle_ppm.is_some_and(|ppm| ppm >= EVIDENCE_PPM)
    };
    let lesions = accepted.iter().filter(|&&(n, middle_ppm)| is_lesion(n, middle_ppm));
    let lesions: Vec<Vec<usize>> =
        lesions.map(|&(n, _)| candidates[n].lesion.voxels.clone()).collect();
    for (n, middle_ppm) in accepted {
        let candidate = &mut candidates[n];
        let diamagnetic =
            candidate.lesion.class == LesionClass::Cmb && middle_ppm.is_some_and(|ppm| ppm < 0.0);
        let neighbour = || {
            !is_lesion(n, middle_ppm)
                && lesions.iter().any(|lesion| are_near(&candidate.lesion.voxels, lesion, grid))
        };
        if diamagnetic || neighbour() {
            candidate.lesion_probability = Some(0.0);
        }
    }
}

/// Mean susceptibility in the middle; `None` without a map in ppm, and where it has no values.
fn middle_ppm(candidate: &Candidate, images: &CandidateImages<'_>, grid: &Grid) -> Option<f32> {
    let (map, scale_ppm) = (images.qsm?, images.qsm_scale_ppm?);
    if map.grid() != grid {
        return None;
    }
    let lesion = &candidate.lesion;
    let apart_mm =
        |&index: &usize| distance_mm(grid.position_mm(grid.voxel(index)), lesion.centre_mm);
    // A bent region may have its centre of mass outside.
    let nearest = lesion.voxels.iter().map(apart_mm).fold(f64::INFINITY, f64::min);
    let middle = lesion.voxels.iter().filter(|index| apart_mm(index) <= MIDDLE_MM.max(nearest));
    let values: Vec<f32> = middle.map(|&index| map.data()[index]).collect();
    let mapped: Vec<f32> = values.iter().copied().filter(|&value| value != 0.0).collect();
    if 2 * mapped.len() < values.len() || mapped.is_empty() {
        return None;
    }
    Some(scale_ppm * mapped.iter().sum::<f32>() / mapped.len() as f32)
}

fn are_near(a: &[usize], b: &[usize], grid: &Grid) -> bool {
    let places = |voxels: &[usize]| -> Vec<[f64; 3]> {
        voxels.iter().map(|&index| grid.position_mm(grid.voxel(index))).collect()
    };
    let (a, b) = (places(a), places(b));
    a.iter().any(|&one| b.iter().any(|&other| distance_mm(one, other) <= NEIGHBOUR_MM))
}

fn distance_mm(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|axis| (a[axis] - b[axis]).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_lesion::Lesion;
    use deepmir_volume::{Affine, Volume};

    /// The probabilities of a lesion that a network marked and of a candidate of 3 mm that begins so far from it, and in
    /// the middle of which there is a susceptibility.
    fn probabilities(apart_mm: usize, ppm: f32, is_blob: bool) -> (f32, f32) {
        scored(apart_mm, ppm, if is_blob { 1 } else { 2 })
    }

    /// As that, with so many of the two marked by a network.
    fn scored(apart_mm: usize, ppm: f32, marked: usize) -> (f32, f32) {
        let grid = Grid::new([30, 3, 3], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let cube = |start: usize| -> Vec<usize> {
            (0..grid.len()).filter(|&n| (start..start + 3).contains(&grid.voxel(n)[0])).collect()
        };
        let (lesion, other) = (cube(2), cube(4 + apart_mm));
        let mut qsm = Volume::filled(grid, 0.1_f32);
        lesion.iter().for_each(|&voxel| qsm.data_mut()[voxel] = 4.0);
        other.iter().for_each(|&voxel| qsm.data_mut()[voxel] = 10.0 * ppm);
        let brain = qsm.map(|_| true);
        let images = CandidateImages::new(&brain, None, Some(&qsm), None).with_qsm_scale_ppm(0.1);
        let candidate = |voxels| {
            let lesion = Lesion::new(LesionClass::Cmb, voxels, &grid);
            Candidate { lesion_probability: Some(0.9), ..Candidate::new(lesion, 0.9, 0.9, &grid) }
        };
        let mut candidates = [candidate(lesion), candidate(other)];
        let rule = DetectionRule::half(&[LesionClass::Cmb]);
        withdraw_implausible(&mut candidates, marked, &rule, &images, &grid);
        let [lesion, other] = candidates.map(|candidate| candidate.score());
        (lesion, other)
    }

    #[test]
    fn the_rim_of_a_lesion_does_not_inherit_its_probability() {
        assert_eq!(probabilities(1, 0.02, true), (0.9, 0.0));
        // One with iron of its own, one that a network marked, one further away, and one where the map has no values.
        assert_eq!(probabilities(1, 0.2, true), (0.9, 0.9));
        assert_eq!(probabilities(1, 0.02, false), (0.9, 0.9));
        assert_eq!(probabilities(5, 0.02, true), (0.9, 0.9));
        assert_eq!(probabilities(1, 0.0, true), (0.9, 0.0));
        assert_eq!(probabilities(5, 0.0, true), (0.9, 0.9));
        // The lesion may be a blob, too.
        assert_eq!(scored(1, 0.02, 0), (0.9, 0.0));
    }

    #[test]
    fn what_is_diamagnetic_in_its_middle_is_no_microbleed() {
        assert_eq!(probabilities(5, -0.05, false), (0.9, 0.0));
        assert_eq!(probabilities(5, -0.05, true), (0.9, 0.0));
    }
}
