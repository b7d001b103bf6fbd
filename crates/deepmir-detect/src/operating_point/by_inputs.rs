//! Thresholds and calibration for scans with one set of images.
//!
//! One classifier scores scans with and without QSM, say. Where images are missing it is less sure, and one threshold for all
//! sets of images calls too much in some and too little in others.

use std::collections::BTreeMap;

use deepmir_lesion::{Candidate, LesionClass};
use serde::{Deserialize, Serialize};

use super::tune::{
    MIN_LESIONS_TO_TUNE, ScoredSubject, ThresholdChoice, TunedThreshold, thresholds,
};
use super::validation::true_class;
use crate::candidate_classifier::{Calibration, calibrate};
use crate::{DetectError, Detection};

/// The detection threshold of a class, and what its probabilities are calibrated with before they are compared with it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibratedThreshold {
    /// The least calibrated probability of a lesion.
    pub detection_threshold: f32,
    /// The calibration.
    pub calibration: Calibration,
}

impl CalibratedThreshold {
    /// Checks threshold and calibration.
    ///
    /// # Errors
    /// Naming the key that cannot be right.
    pub fn validate(&self) -> Result<(), DetectError> {
        let threshold = self.detection_threshold;
        if !(0.0..=1.0).contains(&threshold) {
            let reason = format!("detection_threshold {threshold} must lie between 0 and 1");
            return Err(DetectError::Invalid { reason });
        }
        self.calibration.validate()
    }
}

/// What [`for_inputs`] chose for a class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TunedForInputs {
    /// The threshold, on calibrated probabilities; the old one if there were too few lesions.
    pub threshold: TunedThreshold,
    /// The calibration of the probabilities as they were; none if there were too few lesions.
    pub calibration: Calibration,
}

impl TunedForInputs {
    /// The chosen threshold with its calibration.
    pub fn calibrated(&self) -> CalibratedThreshold {
        let detection_threshold = self.threshold.after.detection_threshold;
        CalibratedThreshold { detection_threshold, calibration: self.calibration }
    }
}

/// Fits a calibration of each class to the candidates of some subjects, all with the same set of images, then chooses its
/// detection threshold as [`tune`](super::tune()) does, by the F measure with weight `beta`. A candidate that overlaps a
/// lesion of either class is one. A class with fewer than [`MIN_LESIONS_TO_TUNE`] lesions, or as few among its candidates,
/// keeps its threshold and is not calibrated.
pub fn for_inputs(
    detection: &Detection,
    subjects: &[ScoredSubject],
    beta: f64,
) -> Vec<TunedForInputs> {
    let calibration = calibrations(detection, subjects);
    let calibrated = subjects.iter().map(|subject| {
        let mut subject = subject.clone();
        calibrate(&mut subject.candidates, &calibration);
        subject
    });
    let calibrated: Vec<ScoredSubject> = calibrated.collect();
    let before: Vec<&ScoredSubject> = subjects.iter().collect();
    let after: Vec<&ScoredSubject> = calibrated.iter().collect();
    let tuned = thresholds(detection, &before, &after, ThresholdChoice::BestF { beta });
    let each = tuned.into_iter().map(|threshold| match calibration.get(&threshold.class) {
        Some(&calibration) => TunedForInputs { threshold, calibration },
        None => {
            let threshold = TunedThreshold { after: threshold.before, ..threshold };
            TunedForInputs { threshold, calibration: Calibration::NONE }
        }
    });
    each.collect()
}

/// The calibration of each class that has enough lesions among its candidates and in truth.
fn calibrations(
    detection: &Detection,
    subjects: &[ScoredSubject],
) -> BTreeMap<LesionClass, Calibration> {
    let scored = subjects.iter().flat_map(|subject| {
        let scored = |candidate: &Candidate| {
            let is_lesion = true_class(candidate, &subject.truth).is_some();
            Some((candidate.lesion.class, (candidate.lesion_probability?, is_lesion)))
        };
        subject.candidates.iter().filter_map(scored)
    });
    let scored: Vec<(LesionClass, (f32, bool))> = scored.collect();
    let of_class = |&class: &LesionClass| {
        let truth = subjects.iter().flat_map(|subject| &subject.truth);
        let lesions = truth.filter(|lesion| lesion.class == class).count();
        let scored = scored.iter().filter(|(other, _)| *other == class).map(|(_, one)| *one);
        let scored: Vec<(f32, bool)> = scored.collect();
        let found = scored.iter().filter(|(_, is_lesion)| *is_lesion).count();
        let enough = lesions.min(found) >= MIN_LESIONS_TO_TUNE;
        enough.then(|| (class, Calibration::fit(&scored)))
    };
    detection.rule.classes.keys().filter_map(of_class).collect()
}

#[cfg(test)]
mod tests {
    use deepmir_lesion::Lesion;
    use deepmir_volume::{Affine, Grid};
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::{CandidateClassifier, ClassThreshold, DetectionRule};

    /// Candidates of one voxel each with true probabilities, told as far too high.
    fn overconfident(seed: u64, count: usize) -> ScoredSubject {
        let grid = Grid::new([4000, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut subject =
            ScoredSubject { truth: Vec::new(), candidates: Vec::new(), unknown: Vec::new() };
        for n in 0..count {
            let lesion = Lesion::new(LesionClass::Cmb, vec![2 * n], &grid);
            let probability = random.random::<f32>().powi(3);
            if random.random::<f32>() < probability {
                subject.truth.push(lesion.clone());
            }
            let told = Calibration { slope: 1.0, offset: 1.5 }.apply(probability);
            let mut candidate = Candidate::new(lesion, probability, probability, &grid);
            candidate.lesion_probability = Some(told);
            subject.candidates.push(candidate);
        }
        subject
    }

    fn detection() -> Detection {
        let classifier = CandidateClassifier {
            classes: vec![LesionClass::Cmb],
            features: Vec::new(),
            offsets: vec![0.0; 2],
            rounds: Vec::new(),
        };
        let threshold =
            ClassThreshold { detection_threshold: 0.4, min_volume_mm3: 0.0, min_height_mm: 0.0 };
        let mut detection = Detection::from(DetectionRule::half(&[]));
        detection.rule.classes.insert(LesionClass::Cmb, threshold);
        Detection { classifier: Some(classifier), ..detection }
    }

    #[test]
    fn probabilities_are_true_ones_again_and_the_threshold_is_theirs() {
        let subjects: Vec<ScoredSubject> = (0..20).map(|seed| overconfident(seed, 1000)).collect();
        let [tuned] = for_inputs(&detection(), &subjects, 1.0)[..] else { unreachable!() };
        let Calibration { slope, offset } = tuned.calibration;
        assert!((slope - 1.0).abs() < 0.05 && (offset + 1.5).abs() < 0.1, "{tuned:?}");
        // The best threshold of true probabilities is half of the best F.
        let best = tuned.threshold.after.f1(tuned.threshold.lesions).unwrap();
        let threshold = f64::from(tuned.threshold.after.detection_threshold);
        assert!((threshold - best / 2.0).abs() < 0.03, "{tuned:?}");
        assert!(tuned.threshold.before.f1(tuned.threshold.lesions).unwrap() < best);
    }

    #[test]
    fn a_class_of_few_lesions_is_left_as_it_is() {
        let mut subject = overconfident(3, 100);
        subject.truth.truncate(MIN_LESIONS_TO_TUNE - 1);
        let [tuned] = for_inputs(&detection(), &[subject], 1.0)[..] else { unreachable!() };
        assert_eq!(tuned.calibration, Calibration::NONE);
        assert_eq!(tuned.threshold.after, tuned.threshold.before);
        assert!(!tuned.threshold.chosen());
    }
}
