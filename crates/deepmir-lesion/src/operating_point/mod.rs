//! Choosing a [`DetectionRule`] on validation subjects.

mod adapting;
mod again;
mod tuning;
mod validation;

use std::ops::Range;

pub use adapting::{Adapted, LookedAt, adapt, go_on};
pub use tuning::{AtThreshold, Judged, LEAST_TO_TUNE, Tuned, tune};
pub use validation::{Site, ValidationSubject};

use crate::matching::{Edge, MatchRule, assign, overlaps};
use crate::metrics::{Detections, froc};
use crate::{Candidate, ClassThreshold, DetectionRule, Lesion, LesionClass};
use tuning::Scores;
use validation::Tried;

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
/// Each class has its own peak threshold, smallest volume and height. The peak is at last moved to where the smoothed
/// curve of its F is best, as by [`tune`]: the best point of a curve of few lesions is where chance has put it. Without
/// true lesions of a class its threshold stays at one half.
///
/// Where every subject came with images, and there are enough subjects and lesions, candidates get a
/// second look: thresholds are chosen on what each subject gets from a look learned from the others,
/// and the look of the rule is learned from all.
///
/// Extents at which a subject has thousands of candidates are passed over; where all are so, nothing is found
/// worth having, and the rule is that of argmax.
pub fn choose(
    subjects: &[ValidationSubject],
    classes: &[LesionClass],
    beta: f64,
) -> OperatingPoint {
    choose_among(0..EXTENTS.len(), subjects, classes, beta)
}

/// [`choose`] of the rules of one extent, which was chosen before: for subjects whose candidates a closer look was
/// taken at since.
pub fn choose_at(
    extent: f32,
    subjects: &[ValidationSubject],
    classes: &[LesionClass],
    beta: f64,
) -> OperatingPoint {
    let place = EXTENTS.iter().position(|tried| *tried == extent);
    choose_among(place.map_or(0..EXTENTS.len(), |n| n..n + 1), subjects, classes, beta)
}

fn choose_among(
    extents: Range<usize>,
    subjects: &[ValidationSubject],
    classes: &[LesionClass],
    beta: f64,
) -> OperatingPoint {
    let half = || OperatingPoint {
        rule: DetectionRule::half(classes),
        f1: Vec::new(),
        average_precision: Vec::new(),
    };
    let mut best: Option<Chosen<'_>> = None;
    for n in extents {
        let everyone: Option<Vec<_>> =
            subjects.iter().map(|subject| Some((subject, subject.tried[n].as_ref()?))).collect();
        let Some(everyone) = everyone else { continue };
        let next = at_extent(n, everyone, classes, beta);
        if best.as_ref().is_none_or(|best| next.quality > best.quality) {
            best = Some(next);
        }
    }
    let Some(Chosen { n, mut point, everyone, judged, .. }) = best else { return half() };
    let scores = Scores::of(judged.is_some(), EXTENTS[n]);
    for (class, threshold) in &mut point.rule.classes {
        let subjects = of_class(&everyone, judged.as_deref(), *class);
        let Some(peak) = tuning::best_peak(&subjects, threshold, scores, beta) else { continue };
        threshold.peak = peak;
        let f1 = Counts::of(&subjects, threshold).f_measure(1.0);
        point.f1.iter_mut().filter(|(of, _)| of == class).for_each(|(_, known)| *known = f1);
    }
    if let Some(judged) = judged {
        again::complete(&mut point, n, &everyone, &judged, classes);
    }
    point
}

/// The best rule of one extent, but for its second look.
struct Chosen<'a> {
    n: usize,
    quality: f64,
    point: OperatingPoint,
    everyone: Vec<(&'a ValidationSubject, &'a Tried)>,
    /// What it was chosen on, if that was looked at again.
    judged: Option<Vec<Vec<Candidate>>>,
}

fn at_extent<'a>(
    n: usize,
    everyone: Vec<(&'a ValidationSubject, &'a Tried)>,
    classes: &[LesionClass],
    beta: f64,
) -> Chosen<'a> {
    let extent = EXTENTS[n];
    let judged = again::judged_by_others(&everyone, classes);
    let mut point = OperatingPoint {
        rule: DetectionRule {
            extent,
            nhid_only_deep: everyone.iter().any(|(subject, _)| subject.deep.is_some()),
            ..DetectionRule::half(&[])
        },
        f1: Vec::new(),
        average_precision: Vec::new(),
    };
    let mut measures = Vec::new();
    for &class in classes {
        let of_class = of_class(&everyone, judged.as_deref(), class);
        let (threshold, counts) = best_threshold(&of_class, extent, beta, judged.is_some());
        point.rule.classes.insert(class, threshold);
        point.f1.push((class, counts.and_then(|counts| counts.f_measure(1.0))));
        measures.push((class, counts.and_then(|counts| counts.f_measure(beta))));
        point.average_precision.push((class, average_precision(&of_class)));
    }
    let quality = mean(&measures) + 0.01 * point.mean_average_precision();
    Chosen { n, quality, point, everyone, judged }
}

/// One class of all subjects at one extent, with candidates as looked at again, if they were.
fn of_class<'a>(
    everyone: &[(&'a ValidationSubject, &'a Tried)],
    judged: Option<&'a [Vec<Candidate>]>,
    class: LesionClass,
) -> Vec<OfClass<'a>> {
    let each = everyone.iter().enumerate().map(|(place, (subject, tried))| {
        let candidates = judged.map_or(&tried.candidates, |judged| &judged[place]);
        OfClass::new(&subject.truth, candidates, class)
    });
    each.collect()
}

/// One class of one subject at one extent.
struct OfClass<'a> {
    truth: Vec<&'a Lesion>,
    candidates: Vec<&'a Candidate>,
    /// Which of them share voxels: the same for every threshold.
    overlaps: Vec<Edge>,
}

impl<'a> OfClass<'a> {
    fn new(truth: &'a [Lesion], candidates: &'a [Candidate], class: LesionClass) -> Self {
        let truth: Vec<&Lesion> = truth.iter().filter(|lesion| lesion.class == class).collect();
        let candidates = candidates.iter().filter(|candidate| candidate.lesion.class == class);
        let candidates: Vec<&Candidate> = candidates.collect();
        let lesions: Vec<&Lesion> = candidates.iter().map(|candidate| &candidate.lesion).collect();
        Self { overlaps: overlaps(&truth, &lesions), truth, candidates }
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
            let passes = |n: usize| subject.candidates[n].passes(threshold);
            let edges = subject.overlaps.iter().filter(|edge| passes(edge.predicted));
            counts.truth += subject.truth.len();
            counts.predicted += (0..subject.candidates.len()).filter(|&n| passes(n)).count();
            counts.matched += assign(&edges.copied().collect::<Vec<_>>()).len();
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

/// What was looked at again needs no limits of size beside: they are weighed already.
fn best_threshold(
    subjects: &[OfClass<'_>],
    extent: f32,
    beta: f64,
    again: bool,
) -> (ClassThreshold, Option<Counts>) {
    let mut best =
        ClassThreshold { peak: extent.max(0.5), min_volume_mm3: 0.0, min_height_mm: 0.0 };
    let (mut best_counts, mut most) = (None, f64::NEG_INFINITY);
    let peaks: Vec<f32> = PEAKS.into_iter().filter(|&peak| again || peak >= extent).collect();
    let sizes = MIN_HEIGHTS_MM
        .iter()
        .flat_map(|&height| MIN_VOLUMES_MM3.iter().map(move |&volume| (height, volume)))
        .take(if again { 1 } else { usize::MAX });
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
    use crate::{LabelMap, ProbabilityMaps};
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
        let subject = ValidationSubject::new(&maps, &truth, None, None);
        let point = choose(&[subject], &[LesionClass::Cmb], 1.0);
        assert_eq!(point.f1, [(LesionClass::Cmb, Some(1.0))]);
        let threshold = point.rule.threshold(LesionClass::Cmb).unwrap();
        assert!(threshold.peak > 0.41 && threshold.peak <= 0.62, "{threshold:?}");
        assert_eq!(point.mean_average_precision(), 1.0);
        let (labels, found) = maps.detect(&point.rule, None, None);
        assert_eq!(found.len(), 2);
        assert_eq!(labels.count_of(LesionClass::Nhid), 0);
    }

    #[test]
    fn a_network_that_sees_lesions_everywhere_finds_nothing_worth_having() {
        let grid = Grid::new([200, 200, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let dots = Volume::from_fn(grid, |[i, j, _]| f32::from(u8::from(i % 3 + j % 3 == 0)));
        let maps = ProbabilityMaps::new(vec![(LesionClass::Cmb, dots)]).unwrap();
        let mut truth = LabelMap::empty(grid);
        truth.paint(&[0], LesionClass::Cmb);
        let subject = ValidationSubject::new(&maps, &truth, None, None);
        let point = choose(&[subject], &[LesionClass::Cmb], 1.0);
        assert_eq!(point.rule, DetectionRule::half(&[LesionClass::Cmb]));
        assert_eq!(point.mean_f1(), 0.0);
    }

    #[test]
    fn a_class_without_lesions_keeps_one_half() {
        let grid = Grid::new([4, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let maps =
            ProbabilityMaps::new(vec![(LesionClass::Nhid, Volume::filled(grid, 0.0))]).unwrap();
        let subject = ValidationSubject::new(&maps, &LabelMap::empty(grid), None, None);
        let point = choose(&[subject], &[LesionClass::Nhid], 1.0);
        assert_eq!(point.f1, [(LesionClass::Nhid, None)]);
        assert_eq!(point.rule.threshold(LesionClass::Nhid).unwrap().peak, 0.5);
    }
}
