//! Fine-tuning the candidate classifier of a model on labelled scans.

use std::collections::BTreeMap;

use deepmir_lesion::{BrainExtent, Candidate, LesionClass};

use super::counts::{OfClass, average_precision};
use super::tune::{ScoredSubject, ThresholdChoice, TunedThreshold, thresholds};
use super::units::{self, units};
use super::validation::{ValidationSubject, true_class};
use super::{CandidateThreshold, OperatingPoint};
use crate::candidate_classifier::{Example, Features, first_fit, warm_start};
use crate::rule::by_extent;
use crate::{Blobs, DetectError, Detection};

/// A subject with scored candidates and their features.
#[derive(Clone, Debug)]
pub struct MeasuredSubject {
    /// The true lesions and every candidate.
    pub scored: ScoredSubject,
    /// The features of each candidate.
    pub features: Vec<Features>,
    /// The features of each candidate of which nobody knows whether it is a lesion.
    pub unknown_features: Vec<Features>,
    /// The brain's extent, if the rule
    /// [restricts NHID](crate::DetectionRule::restrict_nhid_to_basal_ganglia).
    pub extent: Option<BrainExtent>,
    /// The patient or anatomy: subjects of one are never scored by a classifier that learned from another of it.
    pub group: Option<String>,
}

/// A fine-tuned detection, with its gain.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapted {
    /// The detection with its new classifier and thresholds.
    pub detection: Detection,
    /// Rounds of boosting added to the classifier; 0 if it is unchanged.
    pub rounds: usize,
    /// Log-loss of a subject by the original classifier, mean over subjects.
    pub loss_before: f64,
    /// The same by classifiers fine-tuned on the other subjects.
    pub loss_after: f64,
    /// For each class the old threshold on the old scores, and the new one on out-of-fold scores.
    pub classes: Vec<TunedThreshold>,
}

/// Fine-tunes a detection's candidate classifier ([`warm_start`]), or fits its first one ([`first_fit`]), then chooses
/// thresholds on the out-of-fold scores. `None` with too few subjects or examples.
///
/// With [`ThresholdChoice::SameCalls`] the detection is kept unless more known lesions are found, over all classes, than by
/// the old classifier at the lowest thresholds with as many other calls.
pub fn adapt(
    detection: &Detection,
    subjects: &[MeasuredSubject],
    choice: ThresholdChoice,
) -> Option<Adapted> {
    let (adapted, _) = adapt_and_score(detection, subjects, choice)?;
    if choice != ThresholdChoice::SameCalls {
        return Some(adapted);
    }
    let found =
        |classes: &[TunedThreshold]| classes.iter().map(|one| one.after.matched).sum::<usize>();
    // The old scores, too, at the lowest threshold with as many other calls: that alone is no gain of fine-tuning.
    let before: Vec<&ScoredSubject> = subjects.iter().map(|subject| &subject.scored).collect();
    if found(&adapted.classes) > found(&thresholds(detection, &before, &before, choice)) {
        return Some(adapted);
    }
    let kept = |class: TunedThreshold| TunedThreshold { after: class.before, ..class };
    let classes = adapted.classes.into_iter().map(kept).collect();
    Some(Adapted { detection: detection.clone(), rounds: 0, classes, ..adapted })
}

/// [`adapt`], and the subjects with out-of-fold scores.
fn adapt_and_score(
    detection: &Detection,
    subjects: &[MeasuredSubject],
    choice: ThresholdChoice,
) -> Option<(Adapted, Vec<ScoredSubject>)> {
    let units = units(subjects.iter().map(|subject| subject.group.as_deref()));
    let mut by_unit: Vec<Vec<Example<'_>>> = vec![Vec::new(); units::count(&units)];
    for (subject, &unit) in subjects.iter().zip(&units) {
        by_unit[unit].extend(examples(subject));
    }
    let tuned = match &detection.classifier {
        Some(classifier) => warm_start(classifier, &by_unit)?,
        None => {
            let classes: Vec<LesionClass> = detection.rule.classes.keys().copied().collect();
            first_fit(&classes, &by_unit)?
        }
    };
    let out_of_fold = subjects.iter().zip(&units).map(|(subject, &n)| {
        let MeasuredSubject { scored, features, unknown_features, extent, .. } = subject;
        let mut scored = scored.clone();
        let classifier = tuned.out_of_fold(n);
        let both = [(&mut scored.candidates, features), (&mut scored.unknown, unknown_features)];
        for (candidates, features) in both {
            classifier.classify_all(candidates, features, by_extent(extent.as_ref()));
        }
        scored
    });
    let after: Vec<ScoredSubject> = out_of_fold.collect();
    let before: Vec<&ScoredSubject> = subjects.iter().map(|subject| &subject.scored).collect();
    let classes = thresholds(detection, &before, &after.iter().collect::<Vec<_>>(), choice);
    let mut rule = detection.rule.clone();
    rule.set_detection_thresholds(&classes);
    let (loss_before, loss_after) = (tuned.loss_before, tuned.loss_after);
    let rounds = tuned.rounds;
    let detection =
        Detection { rule, classifier: Some(tuned.classifier), calibration: BTreeMap::new() };
    Some((Adapted { detection, rounds, loss_before, loss_after, classes }, after))
}

/// The operating point of a detection whose networks were trained further: [`adapt`] on the candidates of the new
/// networks. With too few subjects or examples the classifier stays and only thresholds are chosen. `None` for a
/// detection without a classifier, for subjects without images, or with too many candidates at its candidate threshold.
///
/// # Errors
/// If the rule's candidate threshold is not a [`CandidateThreshold`].
pub fn warm_started(
    detection: &Detection,
    subjects: &[ValidationSubject],
    beta: f64,
) -> Result<Option<OperatingPoint>, DetectError> {
    let Some(classifier) = &detection.classifier else { return Ok(None) };
    if !subjects.iter().all(|subject| subject.with_images) {
        return Ok(None);
    }
    let threshold = CandidateThreshold::find(detection.rule.candidate_threshold)?;
    let measured = |subject: &ValidationSubject| {
        let at = subject.at(threshold)?;
        let mut candidates: Vec<Candidate> = match detection.rule.blobs {
            Blobs::None => at.candidates.clone(),
            Blobs::Qsm | Blobs::SwiQsm => at.all_candidates(),
        };
        let features: Vec<Features> = at.measured.iter().map(|one| one.features.clone()).collect();
        classifier.classify_all(&mut candidates, &features, by_extent(subject.extent.as_ref()));
        let truth = subject.truth.clone();
        let scored = ScoredSubject { truth, candidates, unknown: Vec::new() };
        let (extent, group) = (subject.extent, subject.group.clone());
        Some(MeasuredSubject { scored, features, unknown_features: Vec::new(), extent, group })
    };
    let measured: Option<Vec<MeasuredSubject>> = subjects.iter().map(measured).collect();
    let Some(measured) = measured else { return Ok(None) };
    let mut detection = detection.clone();
    if detection.rule.blobs == Blobs::Qsm {
        // Validation subjects have blobs of both images.
        detection.rule.blobs = Blobs::SwiQsm;
    }
    let choice = ThresholdChoice::BestF { beta };
    let (detection, classes, scored) = match adapt_and_score(&detection, &measured, choice) {
        Some((Adapted { detection, classes, .. }, scored)) => (detection, classes, scored),
        None => {
            let scored: Vec<ScoredSubject> = measured.into_iter().map(|one| one.scored).collect();
            let classes = super::tune(&detection, &scored, beta);
            detection.rule.set_detection_thresholds(&classes);
            (detection, classes, scored)
        }
    };
    let f1 = classes.iter().map(|one| (one.class, one.after.f1(one.lesions))).collect();
    let average_precision = |class: LesionClass| {
        let subjects: Vec<OfClass<'_>> =
            scored.iter().map(|one| OfClass::new(&one.truth, &one.candidates, class)).collect();
        average_precision(&subjects)
    };
    let average_precision =
        classes.iter().map(|one| (one.class, average_precision(one.class))).collect();
    Ok(Some(OperatingPoint { detection, by_inputs: BTreeMap::new(), f1, average_precision }))
}

fn examples(subject: &MeasuredSubject) -> Vec<Example<'_>> {
    let both = subject.scored.candidates.iter().zip(&subject.features);
    let example = |(candidate, features)| {
        let truth = true_class(candidate, &subject.scored.truth);
        Example { features, truth, weight: 1.0 }
    };
    both.map(example).collect()
}
