//! The four measures of the VALDO challenge of 2021 on cerebral microbleeds (task 2).
//!
//! As in the challenge's own code (github.com/WhereIsValdo/valdo-eval-2021): each predicted lesion chooses the true one
//! with the nearest centre of mass; of those that chose one true lesion the nearest is right and the others are false,
//! even if another true lesion is within reach. Dice is the mean over the true lesions that were found, each against
//! all predicted ones that chose it. The neighbours that connect voxels and the distance are arguments of that code;
//! here they are those reported for the challenge's paper (Sudre et al., Medical Image Analysis 91:103029, 2024).
//! There the distance is in millimetres; the code measures it in voxels, which is the same on a grid of 1 mm.

use deepmir_volume::components::Connectivity;
use serde::Serialize;

use crate::{LabelMap, Lesion, LesionClass, lesions_of};

/// Centres of mass of a pair are nearer than this.
const NEARER_THAN_MM: f64 = 5.0;

/// One class of one scan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValdoScore {
    /// The class.
    pub class: LesionClass,
    /// True lesions.
    pub truth: usize,
    /// Predicted lesions.
    pub predicted: usize,
    /// True lesions that were found.
    pub matched: usize,
    /// Mean over the found lesions; 0 if none was found, undefined without true ones.
    pub dice: Option<f64>,
    /// Predicted less true volume, absolute.
    pub absolute_volume_difference_mm3: f64,
    /// Of the lesions; undefined without true ones.
    pub f1: Option<f64>,
    /// Predicted less true lesions, absolute.
    pub absolute_count_difference: usize,
}

/// A measure: its name in tables, and its value, if defined.
pub type ValdoMeasure = (&'static str, fn(&ValdoScore) -> Option<f64>);

/// The four measures, in the order of the challenge's page.
pub const VALDO_MEASURES: [ValdoMeasure; 4] = [
    ("dice", |score| score.dice),
    ("absolute_volume_difference_mm3", |score| Some(score.absolute_volume_difference_mm3)),
    ("f1", |score| score.f1),
    ("absolute_count_difference", |score| Some(score.absolute_count_difference as f64)),
];

/// Compares one class of two label maps on the same grid.
///
/// # Panics
/// If the maps are not of one shape (check their grids first).
///
/// ```
/// use deepmir_lesion::metrics::valdo_score;
/// use deepmir_lesion::{LabelMap, LesionClass};
/// use deepmir_volume::{Affine, Grid};
///
/// let grid = Grid::new([20, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
/// let (mut truth, mut predicted) = (LabelMap::empty(grid), LabelMap::empty(grid));
/// truth.paint(&[4, 5], LesionClass::Cmb);
/// predicted.paint(&[8], LesionClass::Cmb);
/// predicted.paint(&[16], LesionClass::Cmb);
/// let score = valdo_score(&truth, &predicted, LesionClass::Cmb);
/// assert_eq!((score.truth, score.predicted, score.matched), (1, 2, 1), "3.5 mm apart");
/// assert_eq!((score.f1, score.dice), (Some(2.0 / 3.0), Some(0.0)));
/// ```
pub fn valdo_score(truth: &LabelMap, predicted: &LabelMap, class: LesionClass) -> ValdoScore {
    assert_eq!(truth.grid().shape(), predicted.grid().shape(), "label maps of one grid");
    let of_class = |labels: &LabelMap| -> Vec<Lesion> {
        let lesions = lesions_of(labels, Connectivity::Six).into_iter();
        lesions.filter(|lesion| lesion.class == class).collect()
    };
    let (truth, predicted) = (of_class(truth), of_class(predicted));
    let mut chosen_by = vec![Vec::new(); truth.len()];
    for lesion in &predicted {
        if let Some(nearest) = nearest(lesion, &truth) {
            chosen_by[nearest].push(lesion);
        }
    }
    let found = truth.iter().zip(&chosen_by).filter(|(_, chosen_by)| !chosen_by.is_empty());
    let dices: Vec<f64> = found.map(|(lesion, chosen_by)| dice(lesion, chosen_by)).collect();
    let matched = dices.len();
    let volume = |lesions: &[Lesion]| lesions.iter().map(|lesion| lesion.volume_mm3).sum::<f64>();
    let lesions = truth.len() + predicted.len();
    ValdoScore {
        class,
        truth: truth.len(),
        predicted: predicted.len(),
        matched,
        dice: (!truth.is_empty()).then(|| dices.iter().sum::<f64>() / matched.max(1) as f64),
        absolute_volume_difference_mm3: (volume(&predicted) - volume(&truth)).abs(),
        f1: (!truth.is_empty()).then(|| 2.0 * matched as f64 / lesions as f64),
        absolute_count_difference: truth.len().abs_diff(predicted.len()),
    }
}

/// The place of the true lesion that is nearest, if it is within reach; of equally near ones (to a micrometre) the first
/// in the order of [`lesions_of`].
fn nearest(lesion: &Lesion, truth: &[Lesion]) -> Option<usize> {
    let apart_mm = |other: &Lesion| {
        let squares = (0..3).map(|axis| (lesion.centre_mm[axis] - other.centre_mm[axis]).powi(2));
        squares.sum::<f64>().sqrt()
    };
    let distances = truth.iter().map(apart_mm).enumerate();
    let within = distances.filter(|(_, mm)| *mm < NEARER_THAN_MM);
    within.min_by_key(|(_, mm)| (mm * 1e3).round() as i64).map(|(place, _)| place)
}

/// Of a true lesion with all predicted ones that chose it.
fn dice(lesion: &Lesion, chosen_by: &[&Lesion]) -> f64 {
    let voxels = chosen_by.iter().flat_map(|other| &other.voxels);
    let shared = voxels.clone().filter(|voxel| lesion.voxels.binary_search(voxel).is_ok()).count();
    2.0 * shared as f64 / (lesion.voxels.len() + voxels.count()) as f64
}

/// One measure over scans.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Scans on which it is defined.
    pub scans: usize,
    /// Median, as the challenge's tables give it.
    pub median: f64,
    /// First quartile.
    pub first_quartile: f64,
    /// Third quartile.
    pub third_quartile: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation of the sample; of one scan undefined.
    pub standard_deviation: Option<f64>,
}

impl Spread {
    /// Of the values that are defined; `None` of none. Quartiles lie between neighbouring values, as in pandas.
    pub fn of(values: impl IntoIterator<Item = Option<f64>>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().flatten().collect();
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let quantile = |share: f64| {
            let place = share * last as f64;
            let low = place.floor() as usize;
            values[low] + place.fract() * (values[(low + 1).min(last)] - values[low])
        };
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        Some(Self {
            scans: values.len(),
            median: quantile(0.5),
            first_quartile: quantile(0.25),
            third_quartile: quantile(0.75),
            mean,
            standard_deviation: (last > 0).then(|| (squares / last as f64).sqrt()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Grid};

    fn map(spacing_mm: f64, lesions: &[&[usize]]) -> LabelMap {
        let affine = Affine::from_spacing([spacing_mm; 3], [0.0; 3]);
        let mut labels = LabelMap::empty(Grid::new([40, 1, 1], affine).unwrap());
        lesions.iter().for_each(|voxels| labels.paint(voxels, LesionClass::Cmb));
        labels
    }

    fn score(truth: &LabelMap, predicted: &LabelMap) -> ValdoScore {
        valdo_score(truth, predicted, LesionClass::Cmb)
    }

    #[test]
    fn pieces_of_one_lesion_are_one_right_and_one_false() {
        let truth = map(1.0, &[&[10, 11, 12, 13, 14]]);
        let found = score(&truth, &map(1.0, &[&[10, 11], &[13, 14]]));
        assert_eq!((found.matched, found.f1), (1, Some(2.0 / 3.0)));
        assert_eq!(found.dice, Some(8.0 / 9.0), "both pieces overlap");
        assert_eq!(found.absolute_count_difference, 1);
        assert_eq!(found.absolute_volume_difference_mm3, 1.0);
    }

    #[test]
    fn a_prediction_does_not_go_to_its_second_nearest() {
        let truth = map(1.0, &[&[10], &[14]]);
        let found = score(&truth, &map(1.0, &[&[9], &[11]]));
        assert_eq!(found.matched, 1, "both are nearest to the first");
    }

    #[test]
    fn five_millimetres_are_too_far() {
        assert_eq!(score(&map(1.0, &[&[10]]), &map(1.0, &[&[15]])).matched, 0);
        assert_eq!(score(&map(0.99, &[&[10]]), &map(0.99, &[&[15]])).matched, 1);
    }

    #[test]
    fn without_true_lesions_only_the_differences_are_defined() {
        let (none, one) = (map(2.0, &[]), map(2.0, &[&[3]]));
        let false_one = score(&none, &one);
        assert_eq!((false_one.dice, false_one.f1), (None, None));
        assert_eq!(false_one.absolute_volume_difference_mm3, 8.0);
        let missed = score(&one, &none);
        assert_eq!((missed.dice, missed.f1), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn the_spread_of_a_few_values() {
        let spread = Spread::of([Some(1.0), None, Some(4.0), Some(2.0), Some(3.0)]).unwrap();
        assert_eq!((spread.scans, spread.median, spread.mean), (4, 2.5, 2.5));
        assert_eq!((spread.first_quartile, spread.third_quartile), (1.75, 3.25));
        assert!((spread.standard_deviation.unwrap() - (5.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(Spread::of([Some(1.0)]).unwrap().standard_deviation, None);
        assert_eq!(Spread::of([None]), None);
    }
}
