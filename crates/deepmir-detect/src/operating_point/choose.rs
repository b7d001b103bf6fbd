//! Choosing thresholds and fitting a candidate classifier on validation subjects.

use std::collections::BTreeMap;

use deepmir_lesion::{Candidate, LesionClass};

use super::classifier::OutOfFold;
use super::counts::{self, Counts, OfClass};
use super::smoothing::{Scores, best_threshold};
use super::validation::{AtThreshold, ValidationSubject};
use super::{CandidateThreshold, OperatingPoint, classifier, mean};
use crate::{ClassThreshold, DetectionRule};

/// Detection thresholds to try: finer towards 1, where networks trained on overlap put most of theirs.
const DETECTION_THRESHOLDS: [f32; 27] = [
    0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9,
    0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999,
];
/// Smallest volumes to try.
const MIN_VOLUMES_MM3: [f64; 5] = [0.0, 1.0, 2.0, 4.0, 6.0];
/// Smallest heights to try: with slices of 1.5 mm these are any, two and three slices.
const MIN_HEIGHTS_MM: [f64; 3] = [0.0, 4.0, 5.0];

/// Chooses the detection with the best mean lesion F measure over classes, lesions matched by overlap. `beta` is the
/// weight of a missed lesion relative to a false positive (van Rijsbergen 1979); 1 gives F1. Each class has its own
/// detection threshold, smallest volume and smallest height. In the end the detection threshold is moved to the maximum
/// of the smoothed F curve, as in [`tune`](super::tune): with few lesions the highest point of the curve is due to chance.
/// A class without true lesions keeps the threshold one half.
///
/// If every subject has images, and there are enough subjects and lesions, a candidate classifier is fitted: thresholds
/// are chosen on out-of-fold scores, and the final classifier is fitted to all subjects.
///
/// Candidate thresholds at which a subject has thousands of candidates are skipped; if that leaves none, the rule is
/// [`DetectionRule::half`].
pub fn choose(
    subjects: &[ValidationSubject],
    classes: &[LesionClass],
    beta: f64,
) -> OperatingPoint {
    choose_among(CandidateThreshold::all(), subjects, classes, beta)
}

/// [`choose`] at one candidate threshold, for example once a patch classifier has scored the candidates of a threshold
/// chosen before.
pub fn choose_at(
    threshold: CandidateThreshold,
    subjects: &[ValidationSubject],
    classes: &[LesionClass],
    beta: f64,
) -> OperatingPoint {
    choose_among(std::iter::once(threshold), subjects, classes, beta)
}

fn choose_among(
    thresholds: impl Iterator<Item = CandidateThreshold>,
    subjects: &[ValidationSubject],
    classes: &[LesionClass],
    beta: f64,
) -> OperatingPoint {
    let half = || OperatingPoint {
        detection: DetectionRule::half(classes).into(),
        by_inputs: BTreeMap::new(),
        f1: Vec::new(),
        average_precision: Vec::new(),
    };
    let mut best: Option<Chosen<'_>> = None;
    for threshold in thresholds {
        let all: Option<Vec<_>> =
            subjects.iter().map(|subject| Some((subject, subject.at(threshold)?))).collect();
        let Some(all) = all else { continue };
        let next = at_threshold(threshold, all, classes, beta);
        if best.as_ref().is_none_or(|best| next.quality > best.quality) {
            best = Some(next);
        }
    }
    let Some(Chosen { threshold: candidate_threshold, mut point, subjects, scored, .. }) = best
    else {
        return half();
    };
    let scores = Scores::of(scored.is_some(), candidate_threshold.value());
    for (class, threshold) in &mut point.detection.rule.classes {
        let complete = scored.as_ref().map(|scored| scored.complete.as_slice());
        let subjects = of_class(&subjects, complete, *class);
        let best = best_threshold(&subjects, threshold, scores, beta);
        let Some(detection_threshold) = best else { continue };
        threshold.detection_threshold = detection_threshold;
        let f1 = Counts::of(&subjects, threshold).f_measure(1.0);
        point.f1.iter_mut().filter(|(of, _)| of == class).for_each(|(_, known)| *known = f1);
    }
    if let Some(scored) = scored {
        classifier::complete(&mut point, candidate_threshold, &subjects, &scored, beta, classes);
    }
    point
}

/// The best rule at one candidate threshold, without its classifier.
struct Chosen<'a> {
    threshold: CandidateThreshold,
    quality: f64,
    point: OperatingPoint,
    subjects: Vec<(&'a ValidationSubject, &'a AtThreshold)>,
    /// The candidates with out-of-fold scores, if a classifier could be fitted.
    scored: Option<OutOfFold>,
}

fn at_threshold<'a>(
    threshold: CandidateThreshold,
    subjects: Vec<(&'a ValidationSubject, &'a AtThreshold)>,
    classes: &[LesionClass],
    beta: f64,
) -> Chosen<'a> {
    let candidate_threshold = threshold.value();
    let scored = classifier::scored_out_of_fold(&subjects, classes);
    let complete = scored.as_ref().map(|scored| scored.complete.as_slice());
    let mut rule = DetectionRule {
        candidate_threshold,
        restrict_nhid_to_basal_ganglia: subjects
            .iter()
            .any(|(subject, _)| subject.extent.is_some()),
        ..DetectionRule::half(&[])
    };
    let (mut f1, mut measures, mut average_precision) = (Vec::new(), Vec::new(), Vec::new());
    for &class in classes {
        let of_class = of_class(&subjects, complete, class);
        let (best, counts) =
            best_class_threshold(&of_class, candidate_threshold, beta, scored.is_some());
        rule.classes.insert(class, best);
        f1.push((class, counts.and_then(|counts| counts.f_measure(1.0))));
        measures.push((class, counts.and_then(|counts| counts.f_measure(beta))));
        average_precision.push((class, counts::average_precision(&of_class)));
    }
    let by_inputs = BTreeMap::new();
    let point = OperatingPoint { detection: rule.into(), by_inputs, f1, average_precision };
    let quality = mean(&measures) + 0.01 * point.mean_average_precision();
    Chosen { threshold, quality, point, subjects, scored }
}

/// One class of all subjects at one candidate threshold, with out-of-fold scores if there are any.
fn of_class<'a>(
    subjects: &[(&'a ValidationSubject, &'a AtThreshold)],
    scored: Option<&'a [Vec<Candidate>]>,
    class: LesionClass,
) -> Vec<OfClass<'a>> {
    let each = subjects.iter().enumerate().map(|(place, (subject, at))| {
        let candidates = scored.map_or(&at.candidates, |scored| &scored[place]);
        OfClass::new(&subject.truth, candidates, class)
    });
    each.collect()
}

/// The best thresholds of a class. `classified` scores need no limits of size: size is a feature of the classifier.
pub(super) fn best_class_threshold(
    subjects: &[OfClass<'_>],
    candidate_threshold: f32,
    beta: f64,
    classified: bool,
) -> (ClassThreshold, Option<Counts>) {
    let mut best = ClassThreshold {
        detection_threshold: candidate_threshold.max(0.5),
        min_volume_mm3: 0.0,
        min_height_mm: 0.0,
    };
    let (mut best_counts, mut most) = (None, f64::NEG_INFINITY);
    let tried: Vec<f32> = DETECTION_THRESHOLDS
        .into_iter()
        .filter(|&threshold| classified || threshold >= candidate_threshold)
        .collect();
    let sizes = MIN_HEIGHTS_MM
        .iter()
        .flat_map(|&height| MIN_VOLUMES_MM3.iter().map(move |&volume| (height, volume)))
        .take(if classified { 1 } else { usize::MAX });
    for (min_height_mm, min_volume_mm3) in sizes {
        let at = |detection_threshold| ClassThreshold {
            detection_threshold,
            min_volume_mm3,
            min_height_mm,
        };
        let counts: Vec<Counts> =
            tried.iter().map(|&threshold| Counts::of(subjects, &at(threshold))).collect();
        let measures: Vec<Option<f64>> =
            counts.iter().map(|counts| counts.f_measure(beta)).collect();
        let Some(here) = measures.iter().flatten().copied().reduce(f64::max) else { continue };
        if here > most {
            let plateau: Vec<usize> =
                (0..tried.len()).filter(|&n| measures[n] == Some(here)).collect();
            let middle = plateau[plateau.len() / 2];
            best = at(tried[middle]);
            (best_counts, most) = (Some(counts[middle]), here);
        }
    }
    (best, best_counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProbabilityMaps;
    use deepmir_lesion::LabelMap;
    use deepmir_volume::{Affine, Grid, Volume};

    #[test]
    fn the_threshold_separates_lesions_from_false_positives() {
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
        let subject = ValidationSubject::new(&maps, &truth, None, None, None).unwrap();
        let point = choose(&[subject], &[LesionClass::Cmb], 1.0);
        assert_eq!(point.f1, [(LesionClass::Cmb, Some(1.0))]);
        let threshold = point.detection.rule.threshold(LesionClass::Cmb).unwrap();
        assert!(
            threshold.detection_threshold > 0.41 && threshold.detection_threshold <= 0.62,
            "{threshold:?}"
        );
        assert_eq!(point.mean_average_precision(), 1.0);
        let (labels, found) = maps.detect(&point.detection, None, None).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(labels.count_of(LesionClass::Nhid), 0);
    }

    #[test]
    fn with_too_many_candidates_at_every_threshold_the_rule_is_that_of_argmax() {
        let grid = Grid::new([200, 200, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let dots = Volume::from_fn(grid, |[i, j, _]| f32::from(u8::from(i % 3 + j % 3 == 0)));
        let maps = ProbabilityMaps::new(vec![(LesionClass::Cmb, dots)]).unwrap();
        let mut truth = LabelMap::empty(grid);
        truth.paint(&[0], LesionClass::Cmb);
        let subject = ValidationSubject::new(&maps, &truth, None, None, None).unwrap();
        let point = choose(&[subject], &[LesionClass::Cmb], 1.0);
        assert_eq!(point.detection, DetectionRule::half(&[LesionClass::Cmb]).into());
        assert_eq!(point.mean_f1(), 0.0);
    }

    #[test]
    fn a_class_without_lesions_keeps_one_half() {
        let grid = Grid::new([4, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let maps =
            ProbabilityMaps::new(vec![(LesionClass::Nhid, Volume::filled(grid, 0.0))]).unwrap();
        let subject =
            ValidationSubject::new(&maps, &LabelMap::empty(grid), None, None, None).unwrap();
        let point = choose(&[subject], &[LesionClass::Nhid], 1.0);
        assert_eq!(point.f1, [(LesionClass::Nhid, None)]);
        assert_eq!(
            point.detection.rule.threshold(LesionClass::Nhid).unwrap().detection_threshold,
            0.5
        );
    }
}
