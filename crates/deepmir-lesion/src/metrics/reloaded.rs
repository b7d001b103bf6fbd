//! What Metrics Reloaded (Maier-Hein et al., Nature Methods 21:195, 2024) recommends for many small objects: instance
//! segmentation, class by class and scan by scan.
//!
//! A predicted lesion is at its place if it shares a voxel with a true one (mask IoU above zero), since the outlines of
//! lesions of a few voxels are uncertain, and beside that if the centres are at most 5 mm apart. Pairs are one to one.
//! Over the pairs follow overlap (Dice) and boundary (normalised surface distance), and from both sides panoptic
//! quality. What is undefined on a scan is so here, after Reinke et al., Nature Methods 21:182, 2024.

use std::collections::HashSet;

use deepmir_volume::Grid;
use deepmir_volume::components::Connectivity;
use serde::Serialize;

use crate::matching::{MatchRule, match_lesions};
use crate::{LabelMap, Lesion, LesionClass, lesions_of};

/// Centres of mass of a pair are at most this far apart, where places are compared by centres.
const CENTRES_MM: f64 = 5.0;

/// The tolerance of the normalised surface distance.
pub const SURFACE_TOLERANCE_MM: f64 = 1.0;

/// One class of one scan.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ReloadedScore {
    /// The class.
    pub class: LesionClass,
    /// True lesions.
    pub truth: usize,
    /// Predicted lesions.
    pub predicted: usize,
    /// Pairs that share voxels.
    pub matched: usize,
    /// Pairs whose centres are near.
    pub matched_by_centre: usize,
    /// Mean over the pairs that share voxels of their intersection over their union.
    pub segmentation_quality: Option<f64>,
    /// Mean over those pairs of their Dice coefficients.
    pub dice: Option<f64>,
    /// Mean over those pairs of their normalised surface distances (Nikolov et al. 2021): the share of both borders that
    /// lies within [`SURFACE_TOLERANCE_MM`] of the other's.
    pub normalised_surface_distance: Option<f64>,
}

impl ReloadedScore {
    /// True lesions found over true lesions.
    pub fn sensitivity(&self) -> Option<f64> {
        share(self.matched, self.truth)
    }

    /// True lesions found over predicted lesions.
    pub fn precision(&self) -> Option<f64> {
        share(self.matched, self.predicted)
    }

    /// Recognition quality: F1, undefined only if nothing was true or predicted.
    pub fn f1(&self) -> Option<f64> {
        share(2 * self.matched, self.truth + self.predicted)
    }

    /// F1 of the pairs by centres.
    pub fn f1_by_centre(&self) -> Option<f64> {
        share(2 * self.matched_by_centre, self.truth + self.predicted)
    }

    /// F1 times segmentation quality (Kirillov et al. 2019); 0 without pairs.
    pub fn panoptic_quality(&self) -> Option<f64> {
        self.f1().map(|f1| f1 * self.segmentation_quality.unwrap_or(0.0))
    }
}

fn share(of: usize, all: usize) -> Option<f64> {
    (all > 0).then(|| of as f64 / all as f64)
}

/// A measure: its name in tables, and its value, if defined.
pub type ReloadedMeasure = (&'static str, fn(&ReloadedScore) -> Option<f64>);

/// The measures, detection before segmentation.
pub const RELOADED_MEASURES: [ReloadedMeasure; 8] = [
    ("f1", ReloadedScore::f1),
    ("f1_by_centre", ReloadedScore::f1_by_centre),
    ("sensitivity", ReloadedScore::sensitivity),
    ("precision", ReloadedScore::precision),
    ("panoptic_quality", ReloadedScore::panoptic_quality),
    ("segmentation_quality", |score| score.segmentation_quality),
    ("dice", |score| score.dice),
    ("normalised_surface_distance", |score| score.normalised_surface_distance),
];

/// Compares one class of two label maps on the same grid.
///
/// # Panics
/// If the maps are not of one shape (check their grids first).
///
/// ```
/// use deepmir_lesion::metrics::reloaded_score;
/// use deepmir_lesion::{LabelMap, LesionClass};
/// use deepmir_volume::{Affine, Grid};
///
/// let grid = Grid::new([20, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
/// let (mut truth, mut predicted) = (LabelMap::empty(grid), LabelMap::empty(grid));
/// truth.paint(&[4, 5, 6], LesionClass::Cmb);
/// predicted.paint(&[6, 7, 8], LesionClass::Cmb);
/// predicted.paint(&[16], LesionClass::Cmb);
/// let score = reloaded_score(&truth, &predicted, LesionClass::Cmb);
/// assert_eq!((score.f1(), score.segmentation_quality), (Some(2.0 / 3.0), Some(0.2)));
/// assert_eq!(score.normalised_surface_distance, Some(4.0 / 6.0), "4 and 8 are 2 mm from the other");
/// ```
pub fn reloaded_score(truth: &LabelMap, predicted: &LabelMap, class: LesionClass) -> ReloadedScore {
    assert_eq!(truth.grid().shape(), predicted.grid().shape(), "label maps of one grid");
    let grid = truth.grid();
    let of_class = |labels: &LabelMap| -> Vec<Lesion> {
        let lesions = lesions_of(labels, Connectivity::TwentySix).into_iter();
        lesions.filter(|lesion| lesion.class == class).collect()
    };
    let (truth, predicted) = (of_class(truth), of_class(predicted));
    let (truth, predicted): (Vec<&Lesion>, Vec<&Lesion>) =
        (truth.iter().collect(), predicted.iter().collect());
    // Any overlap, and of those the largest sum of IoU.
    let pairs = match_lesions(&truth, &predicted, MatchRule::Iou(f64::MIN_POSITIVE));
    let of_pairs = |measure: &dyn Fn(&Lesion, &Lesion) -> f64| {
        let sum: f64 =
            pairs.iter().map(|pair| measure(truth[pair.truth], predicted[pair.predicted])).sum();
        (!pairs.is_empty()).then(|| sum / pairs.len() as f64)
    };
    ReloadedScore {
        class,
        truth: truth.len(),
        predicted: predicted.len(),
        matched: pairs.len(),
        matched_by_centre: match_lesions(&truth, &predicted, MatchRule::Centre(CENTRES_MM)).len(),
        segmentation_quality: of_pairs(&|a, b| {
            let shared = shared(a, b);
            shared / ((a.voxels.len() + b.voxels.len()) as f64 - shared)
        }),
        dice: of_pairs(&|a, b| 2.0 * shared(a, b) / (a.voxels.len() + b.voxels.len()) as f64),
        normalised_surface_distance: of_pairs(&|a, b| surface_distance(a, b, grid)),
    }
}

fn shared(a: &Lesion, b: &Lesion) -> f64 {
    a.voxels.iter().filter(|voxel| b.voxels.binary_search(voxel).is_ok()).count() as f64
}

/// Share of the border voxels of both lesions that lie within the tolerance of the other's.
fn surface_distance(a: &Lesion, b: &Lesion, grid: &Grid) -> f64 {
    let borders = [a, b].map(|lesion| border_mm(lesion, grid));
    let within = |from: &[[f64; 3]], to: &[[f64; 3]]| {
        let near = |at: &&[f64; 3]| {
            to.iter().any(|other| {
                let square: f64 = at.iter().zip(other).map(|(p, q)| (p - q).powi(2)).sum();
                // Rounding of affines does not decide.
                square.sqrt() <= SURFACE_TOLERANCE_MM + 1e-6
            })
        };
        from.iter().filter(near).count()
    };
    let near = within(&borders[0], &borders[1]) + within(&borders[1], &borders[0]);
    near as f64 / (borders[0].len() + borders[1].len()) as f64
}

/// Places of the voxels that have a face outside the lesion.
fn border_mm(lesion: &Lesion, grid: &Grid) -> Vec<[f64; 3]> {
    let inside: HashSet<usize> = lesion.voxels.iter().copied().collect();
    let shape = grid.shape();
    let open = |voxel: [usize; 3]| {
        (0..3).any(|axis| {
            let neighbour = |at: Option<usize>| {
                let at = at.filter(|&at| at < shape[axis]);
                at.is_some_and(|at| {
                    let mut other = voxel;
                    other[axis] = at;
                    inside.contains(&grid.index(other))
                })
            };
            !neighbour(voxel[axis].checked_sub(1)) || !neighbour(Some(voxel[axis] + 1))
        })
    };
    let voxels = lesion.voxels.iter().map(|&index| grid.voxel(index));
    voxels.filter(|&voxel| open(voxel)).map(|voxel| grid.position_mm(voxel)).collect()
}
