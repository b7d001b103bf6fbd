//! Choosing a [`DetectionRule`] on validation subjects.

use std::collections::BTreeSet;

use deepmir_volume::components::Connectivity;
use rayon::prelude::*;

use crate::matching::{MatchRule, match_lesions};
use crate::metrics::{Detections, froc};
use crate::second_look::{Example, Features, SecondLook, Surroundings, fit};
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
/// An extent at which a subject has more candidates than this is not tried: no one would look at so many, and
/// matching them takes minutes. Networks that have hardly learned anything have tens of thousands.
const MOST_CANDIDATES: usize = 2000;
/// A second look needs this many subjects to learn from, so that each can be judged by what was
/// learned from the others.
const LEAST_SUBJECTS: usize = 5;
/// And this many true candidates of every class.
const LEAST_OF_A_CLASS: usize = 10;
/// Parts that subjects are dealt to when second looks are tried, each part judged by the others.
const PARTS: usize = 12;

/// One validation subject, reduced to what choosing needs: its true lesions and, for each extent
/// that is tried, its candidates. The probability maps need not be kept.
#[derive(Clone, Debug)]
pub struct ValidationSubject {
    truth: Vec<Lesion>,
    /// In the order of the extents tried; none where there are too many.
    candidates: Vec<Vec<Candidate>>,
    /// Whether there are too many.
    crowded: Vec<bool>,
    /// For each candidate, where images were given.
    features: Vec<Vec<Features>>,
    deep: Option<BrainBox>,
}

impl ValidationSubject {
    /// Reduces a subject's maps. Both are on one grid, and true lesions are 26-connected. With
    /// `deep`, rules have [`DetectionRule::nhid_only_deep`]; with `images`, a second look can be chosen.
    pub fn new(
        maps: &ProbabilityMaps,
        truth: &LabelMap,
        deep: Option<&BrainBox>,
        images: Option<&Surroundings<'_>>,
    ) -> Self {
        let mut candidates: Vec<Vec<Candidate>> =
            EXTENTS.iter().map(|&extent| maps.candidates(extent, None, deep)).collect();
        let crowded: Vec<bool> =
            candidates.iter().map(|candidates| candidates.len() > MOST_CANDIDATES).collect();
        for (candidates, _) in candidates.iter_mut().zip(&crowded).filter(|(_, crowded)| **crowded)
        {
            candidates.clear();
        }
        let features = images.map(|images| {
            let of = |candidate: &Candidate| Features::of(candidate, maps, images);
            candidates.iter().map(|all| all.par_iter().map(of).collect()).collect()
        });
        Self {
            truth: lesions_of(truth, Connectivity::TwentySix),
            features: features.unwrap_or_default(),
            candidates,
            crowded,
            deep: deep.copied(),
        }
    }

    /// What a candidate is: the class of the true lesion that it overlaps most.
    fn truth_of(&self, candidate: &Candidate) -> Option<LesionClass> {
        let shared = |lesion: &Lesion| {
            let is_there = |voxel: &&usize| lesion.voxels.binary_search(voxel).is_ok();
            candidate.lesion.voxels.iter().filter(is_there).count()
        };
        let most =
            self.truth.iter().map(|lesion| (shared(lesion), lesion.class)).max_by_key(|x| x.0)?;
        (most.0 > 0).then_some(most.1)
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
    let points: Vec<(f64, OperatingPoint)> = (0..EXTENTS.len())
        .filter(|&n| !subjects.iter().any(|subject| subject.crowded[n]))
        .map(|n| at_extent(subjects, n, classes, beta))
        .collect();
    let best = points.into_iter().reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map(|(_, point)| point).unwrap_or_else(|| OperatingPoint {
        rule: DetectionRule::half(classes),
        f1: Vec::new(),
        average_precision: Vec::new(),
    })
}

/// The best rule of one extent, and how good it is.
fn at_extent(
    subjects: &[ValidationSubject],
    n: usize,
    classes: &[LesionClass],
    beta: f64,
) -> (f64, OperatingPoint) {
    let extent = EXTENTS[n];
    let looked = looked_at_by_others(subjects, n, classes);
    let again = looked.is_some();
    let candidates: Vec<Vec<Candidate>> = looked
        .unwrap_or_else(|| subjects.iter().map(|subject| subject.candidates[n].clone()).collect());
    let mut point = OperatingPoint {
        rule: DetectionRule {
            extent,
            nhid_only_deep: subjects.iter().any(|subject| subject.deep.is_some()),
            ..DetectionRule::half(&[])
        },
        f1: Vec::new(),
        average_precision: Vec::new(),
    };
    let mut measures = Vec::new();
    for &class in classes {
        let of_class: Vec<OfClass<'_>> = subjects
            .iter()
            .zip(&candidates)
            .map(|(subject, candidates)| OfClass::new(subject, candidates, class))
            .collect();
        let (threshold, counts) = best_threshold(&of_class, extent, beta, again);
        point.rule.classes.insert(class, threshold);
        point.f1.push((class, counts.and_then(|counts| counts.f_measure(1.0))));
        measures.push((class, counts.and_then(|counts| counts.f_measure(beta))));
        point.average_precision.push((class, average_precision(&of_class)));
    }
    if again {
        let everyone: Vec<&ValidationSubject> = subjects.iter().collect();
        point.rule.second_look = learn(&everyone, n, classes);
        point.rule.outline = best_outline(subjects, n, &candidates, &point.rule);
    }
    (mean(&measures) + 0.01 * point.mean_average_precision(), point)
}

/// A second look learned from some subjects.
fn learn(subjects: &[&ValidationSubject], n: usize, classes: &[LesionClass]) -> Option<SecondLook> {
    let examples = subjects.iter().flat_map(|subject| {
        let pairs = subject.candidates[n].iter().zip(&subject.features[n]);
        pairs.map(|(candidate, features)| Example { features, truth: subject.truth_of(candidate) })
    });
    fit(&examples.collect::<Vec<_>>(), classes)
}

/// The candidates of an extent, each subject's looked at again with what was learned from others; `None`
/// where there is too little to learn from.
fn looked_at_by_others(
    subjects: &[ValidationSubject],
    n: usize,
    classes: &[LesionClass],
) -> Option<Vec<Vec<Candidate>>> {
    let with_images = subjects.iter().all(|subject| !subject.features.is_empty());
    if subjects.len() < LEAST_SUBJECTS || !with_images {
        return None;
    }
    let enough = |class: &LesionClass| {
        let of_class = |subject: &ValidationSubject| {
            let candidates = subject.candidates[n].iter();
            candidates.filter(|candidate| subject.truth_of(candidate) == Some(*class)).count()
        };
        subjects.iter().map(of_class).sum::<usize>() >= LEAST_OF_A_CLASS
    };
    if !classes.iter().all(enough) {
        return None;
    }
    let parts = subjects.len().min(PARTS);
    let looks: Option<Vec<SecondLook>> = (0..parts)
        .into_par_iter()
        .map(|part| {
            let others = subjects.iter().enumerate().filter(|(place, _)| place % parts != part);
            learn(&others.map(|(_, subject)| subject).collect::<Vec<_>>(), n, classes)
        })
        .collect();
    let looks = looks?;
    let judged = subjects.iter().enumerate().map(|(place, subject)| {
        let mut candidates = subject.candidates[n].clone();
        for (candidate, features) in candidates.iter_mut().zip(&subject.features[n]) {
            looks[place % parts].judge(candidate, features, subject.deep.as_ref());
        }
        candidates
    });
    Some(judged.collect())
}

/// The least probability of a lesion's voxels at which what passes overlaps true lesions best (Dice over
/// all voxels).
fn best_outline(
    subjects: &[ValidationSubject],
    n: usize,
    candidates: &[Vec<Candidate>],
    rule: &DetectionRule,
) -> Option<f32> {
    let dice = |outline: usize| {
        let (mut shared, mut sum) = (0, 0);
        for (subject, candidates) in subjects.iter().zip(candidates) {
            let brighter: BTreeSet<usize> = subject.candidates[outline]
                .iter()
                .flat_map(|candidate| candidate.lesion.voxels.iter().copied())
                .collect();
            let truth: BTreeSet<usize> =
                subject.truth.iter().flat_map(|lesion| lesion.voxels.iter().copied()).collect();
            sum += truth.len();
            let passes = |candidate: &&Candidate| {
                let threshold = rule.threshold(candidate.lesion.class);
                threshold.is_some_and(|threshold| candidate.passes(&threshold))
            };
            for candidate in candidates.iter().filter(passes) {
                let voxels = &candidate.lesion.voxels;
                let bright: Vec<usize> =
                    voxels.iter().copied().filter(|voxel| brighter.contains(voxel)).collect();
                let kept = if bright.is_empty() { voxels } else { &bright };
                sum += kept.len();
                shared += kept.iter().filter(|voxel| truth.contains(voxel)).count();
            }
        }
        2.0 * shared as f64 / sum.max(1) as f64
    };
    let best = (n..EXTENTS.len())
        .map(|outline| (dice(outline), outline))
        .reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.filter(|(_, outline)| *outline > n).map(|(_, outline)| EXTENTS[outline])
}

/// One class of one subject at one extent.
struct OfClass<'a> {
    truth: Vec<&'a Lesion>,
    candidates: Vec<&'a Candidate>,
}

impl<'a> OfClass<'a> {
    fn new(
        subject: &'a ValidationSubject,
        candidates: &'a [Candidate],
        class: LesionClass,
    ) -> Self {
        Self {
            truth: subject.truth.iter().filter(|lesion| lesion.class == class).collect(),
            candidates: candidates
                .iter()
                .filter(|candidate| candidate.lesion.class == class)
                .collect(),
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
