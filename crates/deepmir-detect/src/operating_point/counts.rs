//! Counts of true, predicted and matched lesions of a class at a threshold.

use std::borrow::Borrow;

use deepmir_lesion::matching::{Edge, MatchRule, assign, overlaps};
use deepmir_lesion::metrics::{Detections, froc};
use deepmir_lesion::{Candidate, Lesion, LesionClass};

use crate::ClassThreshold;

/// One class of one subject at one candidate threshold.
pub(super) struct OfClass<'a> {
    pub truth: Vec<&'a Lesion>,
    pub candidates: Vec<&'a Candidate>,
    /// The pairs that share voxels: the same for every detection threshold.
    overlaps: Vec<Edge>,
}

impl<'a> OfClass<'a> {
    pub fn new(truth: &'a [Lesion], candidates: &'a [Candidate], class: LesionClass) -> Self {
        let truth: Vec<&Lesion> = truth.iter().filter(|lesion| lesion.class == class).collect();
        let candidates = candidates.iter().filter(|candidate| candidate.lesion.class == class);
        let candidates: Vec<&Candidate> = candidates.collect();
        let lesions: Vec<&Lesion> = candidates.iter().map(|candidate| &candidate.lesion).collect();
        Self { overlaps: overlaps(&truth, &lesions), truth, candidates }
    }
}

/// Lesions of one class over all subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub truth: usize,
    pub predicted: usize,
    pub matched: usize,
}

impl Counts {
    pub fn of<'a>(subjects: &[impl Borrow<OfClass<'a>>], threshold: &ClassThreshold) -> Self {
        let mut counts = Self { truth: 0, predicted: 0, matched: 0 };
        for subject in subjects.iter().map(Borrow::borrow) {
            let accepted = |n: usize| threshold.accepts(subject.candidates[n]);
            let edges = subject.overlaps.iter().filter(|edge| accepted(edge.predicted));
            counts.truth += subject.truth.len();
            counts.predicted += (0..subject.candidates.len()).filter(|&n| accepted(n)).count();
            counts.matched += assign(&edges.copied().collect::<Vec<_>>()).len();
        }
        counts
    }

    /// The F measure; `None` without true lesions.
    pub fn f_measure(self, beta: f64) -> Option<f64> {
        let squared = beta * beta;
        (self.truth > 0).then(|| {
            (1.0 + squared) * self.matched as f64
                / (squared * self.truth as f64 + self.predicted as f64)
        })
    }
}

/// Average precision; `None` without true lesions.
pub(super) fn average_precision(subjects: &[OfClass<'_>]) -> Option<f64> {
    let detections: Vec<Detections> = subjects
        .iter()
        .map(|subject| Detections::new(&subject.truth, &subject.candidates, MatchRule::Overlap))
        .collect();
    froc(&detections).map(|froc| froc.average_precision)
}
