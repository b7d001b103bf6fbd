//! Having a finished model's second look go on learning from labelled scans.

use super::tuning::{Judged, Tuned, thresholds};
use super::validation::{ValidationSubject, truth_of};
use super::{OfClass, OperatingPoint, average_precision};
use crate::second_look::{Example, Features, learn_further};
use crate::{BrainBox, Candidate, DetectionRule, LesionClass};

/// A subject as a model judges it, with what its second look measured.
#[derive(Clone, Debug)]
pub struct LookedAt {
    /// The true lesions, and everything that the model looked at.
    pub judged: Judged,
    /// What was measured on each candidate.
    pub features: Vec<Features>,
    /// The brain, for rules with [`nhid_only_deep`](DetectionRule::nhid_only_deep).
    pub deep: Option<BrainBox>,
}

/// What going on has changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapted {
    /// The rule with its look and thresholds.
    pub rule: DetectionRule,
    /// Rounds of trees added to the look; with none it is as it was.
    pub rounds: usize,
    /// Log-loss of a subject left out by the look as it was, mean over subjects.
    pub loss_before: f64,
    /// And by one that went on learning from the others.
    pub loss_after: f64,
    /// For each class the old threshold with the old look, and the new one with looks that learned from other subjects.
    pub classes: Vec<Tuned>,
}

/// Has a rule's second look go on learning ([`learn_further`]), then chooses thresholds as
/// [`tune`](super::tune) does, on what each subject gets from a look that went on learning from the others. `None` for a
/// rule without a second look, or where there is too little to learn from.
pub fn adapt(rule: &DetectionRule, subjects: &[LookedAt], beta: f64) -> Option<Adapted> {
    adapted(rule, subjects, beta).map(|(adapted, _)| adapted)
}

/// [`adapt`], and the subjects as judged by looks that learned from the others.
fn adapted(
    rule: &DetectionRule,
    subjects: &[LookedAt],
    beta: f64,
) -> Option<(Adapted, Vec<Judged>)> {
    let look = rule.second_look.as_ref()?;
    let examples: Vec<Vec<Example<'_>>> = subjects.iter().map(examples).collect();
    let further = learn_further(look, &examples)?;
    let by_others = subjects.iter().enumerate().map(|(n, subject)| {
        let LookedAt { judged, features, deep } = subject;
        let mut judged = judged.clone();
        further.without(n).judge_all(&mut judged.candidates, features, deep.as_ref());
        judged
    });
    let after: Vec<Judged> = by_others.collect();
    let before: Vec<&Judged> = subjects.iter().map(|subject| &subject.judged).collect();
    let classes = thresholds(rule, &before, &after.iter().collect::<Vec<_>>(), beta);
    let mut rule = DetectionRule { second_look: Some(further.look), ..rule.clone() };
    rule.take_peaks(&classes);
    let (loss_before, loss_after) = (further.loss_before, further.loss_after);
    let adapted = Adapted { rule, rounds: further.rounds, loss_before, loss_after, classes };
    Some((adapted, after))
}

/// The rule that a model was trained on from goes on learning ([`adapt`]) from subjects as the networks trained
/// further see them; where there is too little to learn from, its look stays and thresholds alone are chosen. `None` for
/// a rule without a second look, or with an extent that the subjects were not tried at.
pub fn go_on(
    rule: &DetectionRule,
    subjects: &[ValidationSubject],
    beta: f64,
) -> Option<OperatingPoint> {
    let look = rule.second_look.as_ref()?;
    let looked_at = |subject: &ValidationSubject| {
        let tried = subject.at(rule.extent)?;
        let spots = if rule.spots { tried.spots.as_slice() } else { &[] };
        let mut candidates: Vec<Candidate> = [tried.candidates.as_slice(), spots].concat();
        let features: Vec<Features> =
            tried.examples.iter().map(|example| example.features.clone()).collect();
        look.judge_all(&mut candidates, &features, subject.deep.as_ref());
        let judged = Judged { truth: subject.truth.clone(), candidates };
        Some(LookedAt { judged, features, deep: subject.deep })
    };
    if !subjects.iter().all(|subject| subject.with_images) {
        return None;
    }
    let looked_at: Vec<LookedAt> = subjects.iter().map(looked_at).collect::<Option<_>>()?;
    // The subjects' spots are of the newer kind.
    let mut rule = DetectionRule { dark_spots: rule.spots, ..rule.clone() };
    let (rule, classes, judged) = match adapted(&rule, &looked_at, beta) {
        Some((Adapted { rule, classes, .. }, judged)) => (rule, classes, judged),
        None => {
            let judged: Vec<Judged> = looked_at.into_iter().map(|one| one.judged).collect();
            let classes = super::tune(&rule, &judged, beta);
            rule.take_peaks(&classes);
            (rule, classes, judged)
        }
    };
    let f1 = classes.iter().map(|one| (one.class, one.after.f1(one.lesions)));
    let average_precision = |class: LesionClass| {
        let subjects: Vec<OfClass<'_>> =
            judged.iter().map(|one| OfClass::new(&one.truth, &one.candidates, class)).collect();
        average_precision(&subjects)
    };
    Some(OperatingPoint {
        f1: f1.collect(),
        average_precision: classes
            .iter()
            .map(|one| (one.class, average_precision(one.class)))
            .collect(),
        rule,
    })
}

fn examples(subject: &LookedAt) -> Vec<Example<'_>> {
    let both = subject.judged.candidates.iter().zip(&subject.features);
    let example = |(candidate, features)| {
        let truth = truth_of(candidate, &subject.judged.truth);
        Example { features, truth, weight: 1.0 }
    };
    both.map(example).collect()
}
