//! Thresholds on scans of which only some lesions are known: implants, beside native lesions that nobody labelled.
//!
//! The F measure cannot choose there. Candidates that a model calls outside the known lesions may be lesions, so that they
//! are no false positives, and without false positives the lowest threshold looks best. What can be compared is how many
//! known lesions are found at as many other calls as before.

use std::borrow::Borrow;

use deepmir_lesion::{Candidate, LesionClass};

use super::counts::{Counts, OfClass};
use crate::ClassThreshold;

/// One class of one subject, and the candidates of which nobody knows whether they are lesions.
pub(super) struct WithUnknown<'a> {
    pub known: OfClass<'a>,
    unknown: Vec<&'a Candidate>,
}

impl<'a> WithUnknown<'a> {
    pub fn new(known: OfClass<'a>, unknown: &'a [Candidate], class: LesionClass) -> Self {
        let unknown = unknown.iter().filter(|candidate| candidate.lesion.class == class);
        Self { known, unknown: unknown.collect() }
    }
}

impl<'a> Borrow<OfClass<'a>> for WithUnknown<'a> {
    fn borrow(&self) -> &OfClass<'a> {
        &self.known
    }
}

/// The candidates of which nobody knows that a threshold accepts.
pub(super) fn unknown_calls(subjects: &[WithUnknown<'_>], threshold: &ClassThreshold) -> usize {
    let all = subjects.iter().flat_map(|subject| &subject.unknown);
    all.filter(|candidate| threshold.accepts(candidate)).count()
}

/// The calls besides the known lesions: those that match none, and those of which nobody knows.
fn other_calls(subjects: &[WithUnknown<'_>], threshold: &ClassThreshold) -> usize {
    let counts = Counts::of(subjects, threshold);
    counts.predicted - counts.matched + unknown_calls(subjects, threshold)
}

/// The lowest detection threshold at which scores `after` a change give no more calls besides the known lesions than
/// scores `before` it do at the old threshold; half-way to the next lower score.
pub(super) fn same_calls(
    before: &[WithUnknown<'_>],
    after: &[WithUnknown<'_>],
    old: &ClassThreshold,
) -> f32 {
    let most = other_calls(before, old);
    let candidates = after.iter().flat_map(|one| one.known.candidates.iter().chain(&one.unknown));
    let mut scores: Vec<f32> = candidates.map(|candidate| candidate.score()).collect();
    scores.sort_by(f32::total_cmp);
    scores.dedup();
    let at = |detection_threshold| ClassThreshold { detection_threshold, ..*old };
    // Other calls only become fewer as the threshold rises: a match more needs a call more.
    let place = scores.partition_point(|&score| other_calls(after, &at(score)) > most);
    match (place.checked_sub(1).map(|lower| scores[lower]), scores.get(place)) {
        (Some(lower), Some(&score)) => lower + (score - lower) / 2.0,
        // Not one of them can be accepted, or all of them.
        (Some(highest), None) => highest + (1.0 - highest) / 2.0,
        (None, _) => old.detection_threshold,
    }
}

#[cfg(test)]
mod tests {
    use deepmir_lesion::Lesion;
    use deepmir_volume::{Affine, Grid};

    use super::*;

    const CMB: LesionClass = LesionClass::Cmb;

    fn candidate(voxel: usize, score: f32) -> Candidate {
        let grid = Grid::new([50, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        Candidate::new(Lesion::new(CMB, vec![voxel], &grid), score, score, &grid)
    }

    fn candidates(first: usize, scores: &[f32]) -> Vec<Candidate> {
        scores.iter().enumerate().map(|(n, &score)| candidate(first + 2 * n, score)).collect()
    }

    #[test]
    fn as_many_other_calls_are_made_as_before() {
        let old =
            ClassThreshold { detection_threshold: 0.5, min_volume_mm3: 0.0, min_height_mm: 0.0 };
        // Three known lesions, two found; one false call; two calls of which nobody knows.
        let truth: Vec<Lesion> =
            candidates(0, &[1.0; 3]).into_iter().map(|one| one.lesion).collect();
        let with = |lesions: [f32; 3], wrong: &[f32]| {
            [candidates(0, &lesions), candidates(10, wrong)].concat()
        };
        let before = (with([0.9, 0.6, 0.1], &[0.7, 0.2]), candidates(30, &[0.8, 0.55, 0.3]));
        // All scores rose, those of lesions most.
        let after = (with([0.99, 0.95, 0.9], &[0.92, 0.4]), candidates(30, &[0.97, 0.8, 0.6]));
        fn of<'a>(
            truth: &'a [Lesion],
            (known, unknown): &'a (Vec<Candidate>, Vec<Candidate>),
        ) -> [WithUnknown<'a>; 1] {
            [WithUnknown::new(OfClass::new(truth, known, CMB), unknown, CMB)]
        }
        let (before, after) = (of(&truth, &before), of(&truth, &after));
        assert_eq!((other_calls(&before, &old), unknown_calls(&before, &old)), (3, 2));
        // 0.92, 0.97 and 0.8 are as many; the next lower score is 0.6.
        let found = same_calls(&before, &after, &old);
        assert!((found - 0.7).abs() < 1e-6, "{found}");
        let new = ClassThreshold { detection_threshold: found, ..old };
        assert_eq!(other_calls(&after, &new), 3);
        let matched =
            |subjects: &[WithUnknown<'_>], at: &ClassThreshold| Counts::of(subjects, at).matched;
        assert_eq!((matched(&before, &old), matched(&after, &new)), (2, 3));

        // Without any call allowed, the threshold is above every other call.
        let strict = ClassThreshold { detection_threshold: 0.85, ..old };
        let found = same_calls(&before, &after, &strict);
        assert!(found > 0.97 && found < 0.99, "{found}");
        let nothing: [WithUnknown<'_>; 0] = [];
        assert_eq!(same_calls(&nothing, &nothing, &old), 0.5);
    }
}
