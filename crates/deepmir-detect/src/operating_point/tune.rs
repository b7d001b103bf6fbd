//! Tuning the detection thresholds of a finished model on labelled subjects.

use super::counts::{Counts, OfClass};
use super::same_calls::{WithUnknown, same_calls, unknown_calls};
use super::smoothing::{Scores, best_threshold};

use deepmir_lesion::{Candidate, Lesion, LesionClass};

use crate::{ClassThreshold, Detection, DetectionRule};

/// A class with fewer true lesions keeps its threshold.
pub const MIN_LESIONS_TO_TUNE: usize = 10;

/// A subject with its true lesions and a model's scored candidates, on one grid.
#[derive(Clone, Debug)]
pub struct ScoredSubject {
    /// The true lesions.
    pub truth: Vec<Lesion>,
    /// Every candidate, accepted or not, but those of which nobody knows whether they are lesions.
    pub candidates: Vec<Candidate>,
    /// Those.
    pub unknown: Vec<Candidate>,
}

/// How detection thresholds are chosen for a candidate classifier that was fine-tuned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ThresholdChoice {
    /// For the best F measure ([`tune`]): on scans of which all lesions are known.
    BestF {
        /// The weight of a missed lesion relative to a false positive.
        beta: f64,
    },
    /// For as many calls besides the known lesions as the old classifier made at its threshold: on scans of which only some
    /// lesions are known, such as implants. What else is called there may be lesions, so that false positives cannot be
    /// counted and the F measure would choose thresholds that are too low.
    SameCalls,
}

/// The old and the new detection threshold of a class, with the counts of each in the subjects that the new one was
/// chosen on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TunedThreshold {
    /// The class.
    pub class: LesionClass,
    /// True lesions in all subjects.
    pub lesions: usize,
    /// Counts at the old threshold.
    pub before: ThresholdCounts,
    /// Counts at the new one; the same as before if there were too few lesions to choose one.
    pub after: ThresholdCounts,
}

/// A detection threshold, and its counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThresholdCounts {
    /// The threshold ([`ClassThreshold::detection_threshold`]).
    pub detection_threshold: f32,
    /// Candidates that are accepted.
    pub found: usize,
    /// Those of them matched to true lesions.
    pub matched: usize,
    /// Candidates that would be accepted, too, and of which nobody knows whether they are lesions.
    pub unknown: usize,
}

impl TunedThreshold {
    /// Whether there were enough lesions to choose a threshold.
    pub fn chosen(&self) -> bool {
        self.lesions >= MIN_LESIONS_TO_TUNE
    }
}

impl ThresholdCounts {
    /// F1 of so many true lesions; `None` without any.
    pub fn f1(&self, lesions: usize) -> Option<f64> {
        let counts = Counts { truth: lesions, predicted: self.found, matched: self.matched };
        counts.f_measure(1.0)
    }
}

/// Chooses the detection threshold of each class that gives the best F measure over all subjects, lesions matched by
/// overlap; the rest of the rule does not change. `beta` is the weight of a missed lesion relative to a false positive.
///
/// The curve of F over thresholds is first smoothed with a Gaussian in log-odds: its highest point is due to chance. If
/// scores are true probabilities, the best threshold is F / (1 + β²), half of F1 (Lipton, Elkan and Naryanaswamy 2014,
/// for any β): with the scores of a candidate classifier, the threshold nearest to that is chosen among those nearly as
/// good as the best. A class with fewer than [`MIN_LESIONS_TO_TUNE`] true lesions keeps its threshold.
pub fn tune(detection: &Detection, subjects: &[ScoredSubject], beta: f64) -> Vec<TunedThreshold> {
    let subjects: Vec<&ScoredSubject> = subjects.iter().collect();
    thresholds(detection, &subjects, &subjects, ThresholdChoice::BestF { beta })
}

/// [`tune`] where the same subjects have scores `before` and `after` a change; thresholds are chosen on those after.
pub(super) fn thresholds<'a>(
    detection: &Detection,
    before: &[&'a ScoredSubject],
    after: &[&'a ScoredSubject],
    choice: ThresholdChoice,
) -> Vec<TunedThreshold> {
    let Detection { rule, classifier, .. } = detection;
    let scores = Scores::of(classifier.is_some(), rule.candidate_threshold);
    let tuned = rule.classes.iter().map(|(&class, threshold)| {
        let of_class = |subjects: &[&'a ScoredSubject]| -> Vec<WithUnknown<'a>> {
            let of_class = |subject: &&'a ScoredSubject| {
                let known = OfClass::new(&subject.truth, &subject.candidates, class);
                WithUnknown::new(known, &subject.unknown, class)
            };
            subjects.iter().map(of_class).collect()
        };
        let (before, after) = (of_class(before), of_class(after));
        let lesions = after.iter().map(|subject| subject.known.truth.len()).sum();
        let enough = lesions >= MIN_LESIONS_TO_TUNE;
        let choose = || match choice {
            ThresholdChoice::BestF { beta } => best_threshold(&after, threshold, scores, beta),
            ThresholdChoice::SameCalls => Some(same_calls(&before, &after, threshold)),
        };
        let best = enough.then(choose).flatten();
        let at = |subjects: &[WithUnknown<'_>], detection_threshold| {
            let threshold = ClassThreshold { detection_threshold, ..*threshold };
            let counts = Counts::of(subjects, &threshold);
            let (found, matched) = (counts.predicted, counts.matched);
            let unknown = unknown_calls(subjects, &threshold);
            ThresholdCounts { detection_threshold, found, matched, unknown }
        };
        let (was, is) =
            (threshold.detection_threshold, best.unwrap_or(threshold.detection_threshold));
        TunedThreshold { class, lesions, before: at(&before, was), after: at(&after, is) }
    });
    tuned.collect()
}

impl DetectionRule {
    /// Sets the chosen detection thresholds.
    pub fn set_detection_thresholds(&mut self, chosen: &[TunedThreshold]) {
        for TunedThreshold { class, after, .. } in chosen {
            if let Some(threshold) = self.classes.get_mut(class) {
                threshold.detection_threshold = after.detection_threshold;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use deepmir_volume::{Affine, Grid};
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::super::choose::best_class_threshold;
    use super::super::smoothing::two_digits;
    use super::*;

    /// Candidates of one voxel each, of which a lesion is one with the probability that its score says, and lesions that
    /// are no candidate.
    fn calibrated(seed: u64, count: usize, missed_lesions: usize) -> ScoredSubject {
        let grid = Grid::new([4000, 40, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut subject =
            ScoredSubject { truth: Vec::new(), candidates: Vec::new(), unknown: Vec::new() };
        for n in 0..count + missed_lesions {
            let lesion = Lesion::new(LesionClass::Cmb, vec![2 * n], &grid);
            if n >= count {
                subject.truth.push(lesion);
                continue;
            }
            // Most are nothing, as with real candidates.
            let score = random.random::<f32>().powi(3);
            if random.random::<f32>() < score {
                subject.truth.push(lesion.clone());
            }
            subject.candidates.push(Candidate::new(lesion, score, score, &grid));
        }
        subject
    }

    fn detection(detection_threshold: f32) -> Detection {
        let threshold =
            ClassThreshold { detection_threshold, min_volume_mm3: 0.0, min_height_mm: 0.0 };
        let classes = BTreeMap::from([(LesionClass::Cmb, threshold)]);
        DetectionRule { candidate_threshold: 0.0, classes, ..DetectionRule::half(&[]) }.into()
    }

    #[test]
    fn with_true_probabilities_the_best_threshold_is_that_of_theory() {
        // E[p] = 1/4 of the candidates are lesions, and 500 besides. For a threshold t, with u = t^(1/3):
        // true and found N (1 - u⁴) / 4, found N (1 - u); F at its best is (1 + β²) t.
        let (count, missed_lesions) = (40_000, 500);
        let subjects: Vec<ScoredSubject> =
            (0..50).map(|seed| calibrated(seed, count / 50, missed_lesions / 50)).collect();
        let lesions = count as f64 / 4.0 + missed_lesions as f64;
        for beta in [1.0, 1.5] {
            let squared: f64 = beta * beta;
            let f = |t: f64| {
                let u = t.cbrt();
                let (matched, found) =
                    (count as f64 * (1.0 - u.powi(4)) / 4.0, count as f64 * (1.0 - u));
                (1.0 + squared) * matched / (squared * lesions + found)
            };
            let expected =
                (1..999).map(|n| f64::from(n) / 1000.0).max_by(|a, b| f(*a).total_cmp(&f(*b)));
            let expected = expected.unwrap();
            assert!((expected - f(expected) / (1.0 + squared)).abs() < 0.002);
            let tuned = tune(&detection(0.9), &subjects, beta);
            let peak = f64::from(tuned[0].after.detection_threshold);
            assert!((peak - expected).abs() < 0.03, "{peak} for {expected}");
            assert!(tuned[0].after.f1(tuned[0].lesions) > tuned[0].before.f1(tuned[0].lesions));
        }
    }

    #[test]
    fn with_few_lesions_the_smoothed_curve_chooses_better_than_its_highest_point() {
        // F of all that such candidates are drawn from, as above without missed lesions.
        let f = |t: f64| 2.0 * (1.0 - t.cbrt().powi(4)) / 4.0 / (0.25 + 1.0 - t.cbrt());
        let best = (1..999).map(|n| f(f64::from(n) / 1000.0)).reduce(f64::max).unwrap();
        let (mut smoothed, mut near_theory, mut highest) = (0.0, 0.0, 0.0);
        for seed in 0..300 {
            // About 25 lesions.
            let ScoredSubject { truth, candidates, .. } = calibrated(1000 + seed, 100, 0);
            let subjects = [OfClass::new(&truth, &candidates, LesionClass::Cmb)];
            let (threshold, _) = best_class_threshold(&subjects, 0.0, 1.0, true);
            let lost = |peak: f32| (best - f(peak.into())) / 300.0;
            let peak = |scores| best_threshold(&subjects, &threshold, scores, 1.0).unwrap();
            highest += lost(threshold.detection_threshold);
            smoothed += lost(peak(Scores::Peaks { candidate_threshold: 0.0 }));
            near_theory += lost(peak(Scores::Probabilities));
        }
        assert!(smoothed < 0.8 * highest, "{smoothed} and {highest} of {best}");
        assert!(near_theory < 0.5 * smoothed, "{near_theory} and {smoothed} of {best}");
    }

    #[test]
    fn the_threshold_of_an_overconfident_network_is_found() {
        let mut subjects: Vec<ScoredSubject> =
            (0..20).map(|seed| calibrated(seed, 1000, 0)).collect();
        let plain = tune(&detection(0.9), &subjects, 1.0)[0];
        for candidate in subjects.iter_mut().flat_map(|subject| &mut subject.candidates) {
            candidate.peak_probability = 1.0 - 0.01 * (1.0 - candidate.peak_probability);
        }
        let squeezed = tune(&detection(0.9), &subjects, 1.0)[0];
        let expected = 1.0 - 0.01 * (1.0 - plain.after.detection_threshold);
        assert!(
            (squeezed.after.detection_threshold - expected).abs() < 2e-3,
            "{squeezed:?} for {plain:?}"
        );
        let [plain, squeezed] =
            [plain, squeezed].map(|tuned| tuned.after.f1(tuned.lesions).unwrap());
        assert!((squeezed - plain).abs() < 0.01, "{squeezed} for {plain}");
        assert_eq!(
            [0.324, 0.9534, 0.996_32, 0.000_123_4].map(two_digits),
            [0.32, 0.953, 0.9963, 0.000_12]
        );
    }

    #[test]
    fn a_class_of_few_lesions_keeps_its_threshold() {
        let mut subject = calibrated(7, 30, 0);
        subject.truth.truncate(MIN_LESIONS_TO_TUNE - 1);
        let tuned = tune(&detection(0.9), &[subject], 1.0);
        assert_eq!(tuned[0].after, tuned[0].before);
        assert_eq!(tuned[0].after.detection_threshold, 0.9);
    }

    #[test]
    fn thresholds_of_maps_do_not_fall_below_the_candidate_threshold() {
        let mut detection = detection(0.9);
        detection.rule.candidate_threshold = 0.6;
        let tuned = tune(&detection, &[calibrated(7, 2000, 0)], 2.0);
        assert!(tuned[0].after.detection_threshold >= 0.6, "{:?}", tuned[0]);
    }
}
