//! Choosing a [`DetectionRule`] on validation subjects.

use std::collections::BTreeMap;

use deepmir_volume::components::Connectivity;

use crate::matching::{MatchRule, match_lesions};
use crate::metrics::{Detections, froc};
use crate::{
    Candidate, ClassThreshold, DetectionRule, LabelMap, Lesion, LesionClass, ProbabilityMaps,
    lesions_of,
};

/// Extents that are tried.
const EXTENTS: [f32; 8] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
/// Smallest volumes that are tried.
const MIN_VOLUMES_MM3: [f64; 4] = [0.0, 1.0, 2.0, 4.0];

/// One validation subject, reduced to what choosing needs: its true lesions and, for each extent
/// that is tried, its candidates. The probability maps need not be kept.
#[derive(Clone, Debug)]
pub struct ValidationSubject {
    truth: Vec<Lesion>,
    /// In the order of the extents tried.
    candidates: Vec<Vec<Candidate>>,
}

impl ValidationSubject {
    /// Reduces a subject's maps. Both are on one grid, and true lesions are 26-connected.
    pub fn new(maps: &ProbabilityMaps, truth: &LabelMap) -> Self {
        Self {
            truth: lesions_of(truth, Connectivity::TwentySix),
            candidates: EXTENTS.iter().map(|&extent| maps.candidates(extent, None)).collect(),
        }
    }
}

/// A rule, and how it did on the subjects it was chosen on.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatingPoint {
    /// The rule.
    pub rule: DetectionRule,
    /// For each class, pooled lesion F1 at the rule (`None` without true lesions).
    pub f1: Vec<(LesionClass, Option<f64>)>,
    /// For each class, average precision at the rule's extent.
    pub average_precision: Vec<(LesionClass, Option<f64>)>,
}

impl OperatingPoint {
    /// Mean F1 over the classes that have one; 0 if none has.
    pub fn mean_f1(&self) -> f64 {
        mean(&self.f1)
    }

    /// Mean average precision over the classes that have one; 0 if none has.
    pub fn mean_average_precision(&self) -> f64 {
        mean(&self.average_precision)
    }
}

fn mean(values: &[(LesionClass, Option<f64>)]) -> f64 {
    let defined: Vec<f64> = values.iter().filter_map(|(_, value)| *value).collect();
    if defined.is_empty() { 0.0 } else { defined.iter().sum::<f64>() / defined.len() as f64 }
}

/// The rule with the best mean lesion F1 over classes, lesions matched by overlap. Each class has
/// its own peak threshold and smallest volume; of equally good peaks the middle one is taken, as
/// the one furthest from where it would get worse. Without true lesions of a class its threshold
/// stays at one half.
pub fn choose(subjects: &[ValidationSubject], classes: &[LesionClass]) -> OperatingPoint {
    let mut best: Option<OperatingPoint> = None;
    for (n, &extent) in EXTENTS.iter().enumerate() {
        let mut point = OperatingPoint {
            rule: DetectionRule { extent, classes: BTreeMap::new() },
            f1: Vec::new(),
            average_precision: Vec::new(),
        };
        for &class in classes {
            let of_class: Vec<OfClass<'_>> =
                subjects.iter().map(|subject| OfClass::new(subject, n, class)).collect();
            let (threshold, f1) = best_threshold(&of_class, extent);
            point.rule.classes.insert(class, threshold);
            point.f1.push((class, f1));
            point.average_precision.push((class, average_precision(&of_class)));
        }
        let quality =
            |point: &OperatingPoint| point.mean_f1() + 0.01 * point.mean_average_precision();
        if best.as_ref().is_none_or(|best| quality(&point) > quality(best)) {
            best = Some(point);
        }
    }
    best.unwrap_or_else(|| OperatingPoint {
        rule: DetectionRule::half(classes),
        f1: Vec::new(),
        average_precision: Vec::new(),
    })
}

/// One class of one subject at one extent.
struct OfClass<'a> {
    truth: Vec<&'a Lesion>,
    candidates: Vec<&'a Candidate>,
}

impl<'a> OfClass<'a> {
    fn new(subject: &'a ValidationSubject, extent: usize, class: LesionClass) -> Self {
        let candidates = subject.candidates[extent].iter();
        Self {
            truth: subject.truth.iter().filter(|lesion| lesion.class == class).collect(),
            candidates: candidates.filter(|candidate| candidate.lesion.class == class).collect(),
        }
    }
}

fn best_threshold(subjects: &[OfClass<'_>], extent: f32) -> (ClassThreshold, Option<f64>) {
    let (mut best, mut best_f1) =
        (ClassThreshold { peak: extent.max(0.5), min_volume_mm3: 0.0 }, None);
    for min_volume_mm3 in MIN_VOLUMES_MM3 {
        let peaks: Vec<f32> =
            (1..20).map(|n| n as f32 * 0.05).filter(|&peak| peak >= extent).collect();
        let f1s: Vec<Option<f64>> = peaks
            .iter()
            .map(|&peak| f1(subjects, &ClassThreshold { peak, min_volume_mm3 }))
            .collect();
        let Some(most) = f1s.iter().flatten().copied().reduce(f64::max) else { continue };
        if best_f1.is_none_or(|best| most > best) {
            let plateau: Vec<usize> = (0..peaks.len()).filter(|&n| f1s[n] == Some(most)).collect();
            best = ClassThreshold { peak: peaks[plateau[plateau.len() / 2]], min_volume_mm3 };
            best_f1 = Some(most);
        }
    }
    (best, best_f1)
}

/// Pooled F1; `None` without true lesions.
fn f1(subjects: &[OfClass<'_>], threshold: &ClassThreshold) -> Option<f64> {
    let (mut truth, mut predicted, mut matched) = (0, 0, 0);
    for subject in subjects {
        let passing = subject.candidates.iter().filter(|candidate| candidate.passes(threshold));
        let lesions: Vec<&Lesion> = passing.map(|candidate| &candidate.lesion).collect();
        truth += subject.truth.len();
        predicted += lesions.len();
        matched += match_lesions(&subject.truth, &lesions, MatchRule::Overlap).len();
    }
    (truth > 0).then(|| 2.0 * matched as f64 / (truth + predicted) as f64)
}

fn average_precision(subjects: &[OfClass<'_>]) -> Option<f64> {
    let detections: Vec<Detections> = subjects
        .iter()
        .map(|subject| Detections::new(&subject.truth, &subject.candidates, MatchRule::Overlap))
        .collect();
    froc(&detections).map(|froc| froc.average_precision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Grid, Volume};

    #[test]
    fn the_threshold_parts_lesions_from_false_candidates() {
        let grid = Grid::new([40, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let mut truth = LabelMap::empty(grid);
        truth.paint(&[3, 4, 20, 21], LesionClass::Cmb);
        let mut map = Volume::filled(grid, 0.0);
        // Two true ones at .62 and .8, two false ones at .3 and .41.
        for (voxel, probability) in
            [(3, 0.62), (4, 0.5), (20, 0.8), (10, 0.3), (30, 0.41), (31, 0.4)]
        {
            map.data_mut()[voxel] = probability;
        }
        let maps = ProbabilityMaps::new(vec![(LesionClass::Cmb, map)]).unwrap();
        let subject = ValidationSubject::new(&maps, &truth);
        let point = choose(&[subject], &[LesionClass::Cmb]);
        assert_eq!(point.f1, [(LesionClass::Cmb, Some(1.0))]);
        let threshold = point.rule.threshold(LesionClass::Cmb).unwrap();
        assert!(threshold.peak > 0.41 && threshold.peak <= 0.62, "{threshold:?}");
        assert_eq!(point.mean_average_precision(), 1.0);
        let (labels, found) = maps.detect(&point.rule, None);
        assert_eq!(found.len(), 2);
        assert_eq!(labels.count_of(LesionClass::Nhid), 0);
    }

    #[test]
    fn a_class_without_lesions_keeps_one_half() {
        let grid = Grid::new([4, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let maps =
            ProbabilityMaps::new(vec![(LesionClass::Nhid, Volume::filled(grid, 0.0))]).unwrap();
        let subject = ValidationSubject::new(&maps, &LabelMap::empty(grid));
        let point = choose(&[subject], &[LesionClass::Nhid]);
        assert_eq!(point.f1, [(LesionClass::Nhid, None)]);
        assert_eq!(point.rule.threshold(LesionClass::Nhid).unwrap().peak, 0.5);
    }
}
