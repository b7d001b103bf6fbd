//! Choosing a [`DetectionRule`] on validation subjects.

use std::collections::BTreeMap;

use deepmir_volume::components::Connectivity;

use crate::matching::{MatchRule, match_lesions};
use crate::metrics::{Detections, froc};
use crate::{
    BrainBox, Candidate, ClassThreshold, DetectionRule, LabelMap, Lesion, LesionClass,
    ProbabilityMaps, lesions_of,
};

/// Extents that are tried.
const EXTENTS: [f32; 10] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];
/// Peaks that are tried: finer towards 1, where networks trained on overlap put most of theirs.
const PEAKS: [f32; 27] = [
    0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9,
    0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999,
];
/// Smallest volumes that are tried.
const MIN_VOLUMES_MM3: [f64; 5] = [0.0, 1.0, 2.0, 4.0, 6.0];
/// Smallest heights that are tried: with slices of 1.5 mm any, two slices, three.
const MIN_HEIGHTS_MM: [f64; 3] = [0.0, 4.0, 5.0];

/// One validation subject, reduced to what choosing needs: its true lesions and, for each extent
/// that is tried, its candidates. The probability maps need not be kept.
#[derive(Clone, Debug)]
pub struct ValidationSubject {
    truth: Vec<Lesion>,
    /// In the order of the extents tried.
    candidates: Vec<Vec<Candidate>>,
    nhid_only_deep: bool,
}

impl ValidationSubject {
    /// Reduces a subject's maps. Both are on one grid, and true lesions are 26-connected. With
    /// `deep`, rules have [`DetectionRule::nhid_only_deep`].
    pub fn new(maps: &ProbabilityMaps, truth: &LabelMap, deep: Option<&BrainBox>) -> Self {
        Self {
            nhid_only_deep: deep.is_some(),
            truth: lesions_of(truth, Connectivity::TwentySix),
            candidates: EXTENTS.iter().map(|&extent| maps.candidates(extent, None, deep)).collect(),
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

/// The rule with the best mean lesion F measure over classes, lesions matched by overlap. `beta` is
/// how many times as much a missed lesion weighs as a false one (van Rijsbergen 1979); 1 gives F1.
/// Each class has its own peak threshold, smallest volume and height; of equally good peaks the middle one
/// is taken, as the one furthest from where it would get worse. Without true lesions of a class its
/// threshold stays at one half.
pub fn choose(
    subjects: &[ValidationSubject],
    classes: &[LesionClass],
    beta: f64,
) -> OperatingPoint {
    let mut best: Option<(f64, OperatingPoint)> = None;
    for (n, &extent) in EXTENTS.iter().enumerate() {
        let mut point = OperatingPoint {
            rule: DetectionRule {
                extent,
                nhid_only_deep: subjects.iter().any(|subject| subject.nhid_only_deep),
                classes: BTreeMap::new(),
            },
            f1: Vec::new(),
            average_precision: Vec::new(),
        };
        let mut measures = Vec::new();
        for &class in classes {
            let of_class: Vec<OfClass<'_>> =
                subjects.iter().map(|subject| OfClass::new(subject, n, class)).collect();
            let (threshold, counts) = best_threshold(&of_class, extent, beta);
            point.rule.classes.insert(class, threshold);
            point.f1.push((class, counts.and_then(|counts| counts.f_measure(1.0))));
            measures.push((class, counts.and_then(|counts| counts.f_measure(beta))));
            point.average_precision.push((class, average_precision(&of_class)));
        }
        let quality = mean(&measures) + 0.01 * point.mean_average_precision();
        if best.as_ref().is_none_or(|(most, _)| quality > *most) {
            best = Some((quality, point));
        }
    }
    best.map(|(_, point)| point).unwrap_or_else(|| OperatingPoint {
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

/// Lesions of one class over all subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    truth: usize,
    predicted: usize,
    matched: usize,
}

impl Counts {
    fn of(subjects: &[OfClass<'_>], threshold: &ClassThreshold) -> Self {
        let mut counts = Self { truth: 0, predicted: 0, matched: 0 };
        for subject in subjects {
            let passing = subject.candidates.iter().filter(|candidate| candidate.passes(threshold));
            let lesions: Vec<&Lesion> = passing.map(|candidate| &candidate.lesion).collect();
            counts.truth += subject.truth.len();
            counts.predicted += lesions.len();
            counts.matched += match_lesions(&subject.truth, &lesions, MatchRule::Overlap).len();
        }
        counts
    }

    /// `None` without true lesions.
    fn f_measure(self, beta: f64) -> Option<f64> {
        let squared = beta * beta;
        (self.truth > 0).then(|| {
            (1.0 + squared) * self.matched as f64
                / (squared * self.truth as f64 + self.predicted as f64)
        })
    }
}

fn best_threshold(
    subjects: &[OfClass<'_>],
    extent: f32,
    beta: f64,
) -> (ClassThreshold, Option<Counts>) {
    let mut best =
        ClassThreshold { peak: extent.max(0.5), min_volume_mm3: 0.0, min_height_mm: 0.0 };
    let (mut best_counts, mut most) = (None, f64::NEG_INFINITY);
    let peaks: Vec<f32> = PEAKS.into_iter().filter(|&peak| peak >= extent).collect();
    let sizes = MIN_HEIGHTS_MM
        .iter()
        .flat_map(|&height| MIN_VOLUMES_MM3.iter().map(move |&volume| (height, volume)));
    for (min_height_mm, min_volume_mm3) in sizes {
        let counts: Vec<Counts> = peaks
            .iter()
            .map(|&peak| {
                Counts::of(subjects, &ClassThreshold { peak, min_volume_mm3, min_height_mm })
            })
            .collect();
        let measures: Vec<Option<f64>> =
            counts.iter().map(|counts| counts.f_measure(beta)).collect();
        let Some(here) = measures.iter().flatten().copied().reduce(f64::max) else { continue };
        if here > most {
            let plateau: Vec<usize> =
                (0..peaks.len()).filter(|&n| measures[n] == Some(here)).collect();
            let middle = plateau[plateau.len() / 2];
            best = ClassThreshold { peak: peaks[middle], min_volume_mm3, min_height_mm };
            (best_counts, most) = (Some(counts[middle]), here);
        }
    }
    (best, best_counts)
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
        let subject = ValidationSubject::new(&maps, &truth, None);
        let point = choose(&[subject], &[LesionClass::Cmb], 1.0);
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
        let subject = ValidationSubject::new(&maps, &LabelMap::empty(grid), None);
        let point = choose(&[subject], &[LesionClass::Nhid], 1.0);
        assert_eq!(point.f1, [(LesionClass::Nhid, None)]);
        assert_eq!(point.rule.threshold(LesionClass::Nhid).unwrap().peak, 0.5);
    }
}
