//! The candidate classifier and the mask threshold of an operating point.

use std::collections::BTreeSet;

use deepmir_lesion::{Candidate, LesionClass};
use rayon::prelude::*;

use super::units::{self, units};
use super::validation::{AtThreshold, MeasuredCandidate, ValidationSubject};
use super::{CandidateThreshold, OperatingPoint};
use crate::candidate_classifier::{CandidateClassifier, Example, FOLDS, fit};
use crate::rule::by_extent;
use crate::{Blobs, DetectionRule};

/// Fewest subjects for a candidate classifier: each must be scored out of fold.
const MIN_SUBJECTS: usize = 5;
/// Fewest true candidates of every class.
const MIN_LESIONS_OF_A_CLASS: usize = 10;

/// Subjects at one candidate threshold.
pub(super) type SubjectsAt<'a> = [(&'a ValidationSubject, &'a AtThreshold)];

/// Fits a classifier to the candidates of some subjects.
fn fit_to<'a>(
    subjects: impl Iterator<Item = &'a AtThreshold>,
    classes: &[LesionClass],
) -> Option<CandidateClassifier> {
    let examples = subjects.flat_map(|at| {
        // All views with missing modalities together weigh as much as the complete one.
        let share = 1.0 / at.missing_modality_views.len().max(1) as f64;
        let weighed = |weight| {
            move |one: &'a MeasuredCandidate| Example {
                features: &one.features,
                truth: one.truth,
                weight,
            }
        };
        let views = at.missing_modality_views.iter().flatten().map(weighed(share));
        at.measured.iter().map(weighed(1.0)).chain(views)
    });
    fit(&examples.collect::<Vec<_>>(), classes)
}

/// The candidates of every subject, scored out of fold; `None` with too few subjects or lesions, or without images.
pub(super) fn scored_out_of_fold(
    subjects: &SubjectsAt<'_>,
    classes: &[LesionClass],
) -> Option<Vec<Vec<Candidate>>> {
    let with_images = subjects.iter().all(|(subject, _)| subject.with_images);
    let units = units(subjects.iter().map(|(subject, _)| subject.group.as_deref()));
    if units::count(&units) < MIN_SUBJECTS || !with_images {
        return None;
    }
    let count = |class: LesionClass| {
        let measured = subjects.iter().flat_map(|(_, at)| &at.measured);
        measured.filter(|one| one.truth == Some(class)).count()
    };
    if classes.iter().any(|&class| count(class) < MIN_LESIONS_OF_A_CLASS) {
        return None;
    }
    let folds = units::count(&units).min(FOLDS);
    let classifiers: Option<Vec<CandidateClassifier>> = (0..folds)
        .into_par_iter()
        .map(|fold| {
            let others = subjects.iter().zip(&units).filter(|(_, unit)| **unit % folds != fold);
            fit_to(others.map(|((_, at), _)| *at), classes)
        })
        .collect();
    let classifiers = classifiers?;
    let scored = subjects.iter().zip(&units).map(|((subject, at), unit)| {
        let mut candidates = at.all_candidates();
        let features = at.measured.iter().map(|one| &one.features);
        classifiers[unit % folds].classify_all(
            &mut candidates,
            features,
            by_extent(subject.extent.as_ref()),
        );
        candidates
    });
    Some(scored.collect())
}

/// Completes an operating point with the classifier fitted to all subjects and with the mask threshold. `scored` are the
/// candidates that it was chosen on.
pub(super) fn complete(
    point: &mut OperatingPoint,
    threshold: CandidateThreshold,
    subjects: &SubjectsAt<'_>,
    scored: &[Vec<Candidate>],
    classes: &[LesionClass],
) {
    let rule = &mut point.detection.rule;
    let any_blobs = subjects.iter().any(|(_, at)| !at.blobs.is_empty());
    rule.blobs = if any_blobs { Blobs::SwiQsm } else { Blobs::None };
    rule.mask_threshold = best_mask_threshold(threshold, subjects, scored, rule);
    point.detection.classifier = fit_to(subjects.iter().map(|(_, at)| *at), classes);
}

/// The mask threshold with the best Dice of accepted candidates and true lesions over all voxels; `None` if that is the
/// candidate threshold.
fn best_mask_threshold(
    lowest: CandidateThreshold,
    subjects: &SubjectsAt<'_>,
    scored: &[Vec<Candidate>],
    rule: &DetectionRule,
) -> Option<f32> {
    let dice = |threshold: CandidateThreshold| {
        let (mut shared, mut sum) = (0, 0);
        for ((subject, _), candidates) in subjects.iter().zip(scored) {
            let above = subject.at(threshold)?;
            let above = above.candidates.iter().flat_map(|candidate| &candidate.lesion.voxels);
            let above: BTreeSet<&usize> = above.collect();
            let truth: BTreeSet<&usize> =
                subject.truth.iter().flat_map(|lesion| &lesion.voxels).collect();
            sum += truth.len();
            for candidate in candidates.iter().filter(|candidate| rule.accepts(candidate)) {
                let voxels: Vec<&usize> = candidate.lesion.voxels.iter().collect();
                let masked = voxels.iter().copied().filter(|voxel| above.contains(voxel));
                let masked: Vec<&usize> = masked.collect();
                let mask = if masked.is_empty() { voxels } else { masked };
                sum += mask.len();
                shared += mask.iter().filter(|voxel| truth.contains(*voxel)).count();
            }
        }
        Some(2.0 * shared as f64 / sum.max(1) as f64)
    };
    let best = CandidateThreshold::all()
        .filter(|threshold| *threshold >= lowest)
        .filter_map(|threshold| Some((dice(threshold)?, threshold)))
        .reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.filter(|(_, threshold)| *threshold > lowest).map(|(_, threshold)| threshold.value())
}
