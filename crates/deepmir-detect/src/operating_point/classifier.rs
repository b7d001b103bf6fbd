//! The candidate classifier and the mask threshold of an operating point.

use std::collections::{BTreeMap, BTreeSet};

use deepmir_lesion::{Candidate, LesionClass};
use rayon::prelude::*;

use super::by_inputs::for_inputs;
use super::tune::ScoredSubject;
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
        let views = at.missing_modality_views.iter().flat_map(|view| &view.measured);
        at.measured.iter().chain(views).map(|one: &'a MeasuredCandidate| Example {
            features: &one.features,
            truth: one.truth,
            weight: 1.0,
        })
    });
    fit(&examples.collect::<Vec<_>>(), classes)
}

/// Classifiers that were each fitted to all subjects but those of a fold, and what they score there.
pub(super) struct OutOfFold {
    classifiers: Vec<CandidateClassifier>,
    /// The fold of each subject.
    folds: Vec<usize>,
    /// The candidates of each, in all its images.
    pub complete: Vec<Vec<Candidate>>,
}

impl OutOfFold {
    /// Every view of every subject, by the name of its set of images; views of a set without a name are left out.
    pub fn by_inputs(&self, subjects: &SubjectsAt<'_>) -> BTreeMap<String, Vec<ScoredSubject>> {
        let mut by_inputs: BTreeMap<String, Vec<ScoredSubject>> = BTreeMap::new();
        for (n, (subject, at)) in subjects.iter().enumerate() {
            let mut add = |inputs: &Option<String>, candidates: Vec<Candidate>| {
                let Some(inputs) = inputs else { return };
                let truth = subject.truth.clone();
                let scored = ScoredSubject { truth, candidates, unknown: Vec::new() };
                by_inputs.entry(inputs.clone()).or_default().push(scored);
            };
            add(&subject.inputs, self.complete[n].clone());
            for (view, inputs) in at.missing_modality_views.iter().zip(&subject.view_inputs) {
                let mut candidates = view.candidates.clone();
                let features = view.measured.iter().map(|one| &one.features);
                let extent = by_extent(subject.extent.as_ref());
                let classifier = &self.classifiers[self.folds[n]];
                classifier.classify_all(&mut candidates, features, extent);
                add(inputs, candidates);
            }
        }
        by_inputs
    }
}

/// Scores the candidates of every subject out of fold; `None` with too few subjects or lesions, or without images.
pub(super) fn scored_out_of_fold(
    subjects: &SubjectsAt<'_>,
    classes: &[LesionClass],
) -> Option<OutOfFold> {
    let with_images = subjects.iter().all(|(subject, _)| subject.with_images);
    let units = units(subjects.iter().map(|(subject, _)| subject.group.as_deref()));
    if units::count(&units) < MIN_SUBJECTS || !with_images {
        return None;
    }
    let lesions = |class: LesionClass| {
        let measured = subjects.iter().flat_map(|(_, at)| &at.measured);
        measured.filter(|one| one.truth == Some(class)).count()
    };
    if classes.iter().any(|&class| lesions(class) < MIN_LESIONS_OF_A_CLASS) {
        return None;
    }
    let count = units::count(&units).min(FOLDS);
    let folds: Vec<usize> = units.iter().map(|unit| unit % count).collect();
    let classifiers: Option<Vec<CandidateClassifier>> = (0..count)
        .into_par_iter()
        .map(|fold| {
            let others = subjects.iter().zip(&folds).filter(|(_, of)| **of != fold);
            fit_to(others.map(|((_, at), _)| *at), classes)
        })
        .collect();
    let classifiers = classifiers?;
    let scored = subjects.iter().zip(&folds).map(|((subject, at), fold)| {
        let mut candidates = at.all_candidates();
        let features = at.measured.iter().map(|one| &one.features);
        classifiers[*fold].classify_all(
            &mut candidates,
            features,
            by_extent(subject.extent.as_ref()),
        );
        candidates
    });
    let complete = scored.collect();
    Some(OutOfFold { classifiers, folds, complete })
}

/// Completes an operating point with the classifier fitted to all subjects, the mask threshold, and thresholds and
/// calibration by set of images. `out_of_fold` is what it was chosen on.
pub(super) fn complete(
    point: &mut OperatingPoint,
    threshold: CandidateThreshold,
    subjects: &SubjectsAt<'_>,
    out_of_fold: &OutOfFold,
    beta: f64,
    classes: &[LesionClass],
) {
    let rule = &mut point.detection.rule;
    let any_blobs = subjects.iter().any(|(_, at)| !at.blobs.is_empty());
    rule.blobs = if any_blobs { Blobs::SwiQsm } else { Blobs::None };
    rule.mask_threshold = best_mask_threshold(threshold, subjects, &out_of_fold.complete, rule);
    point.detection.classifier = fit_to(subjects.iter().map(|(_, at)| *at), classes);
    let by_inputs = out_of_fold.by_inputs(subjects);
    if by_inputs.len() > 1 {
        let points = by_inputs.into_iter().map(|(inputs, scored)| {
            let tuned = for_inputs(&point.detection, &scored, beta).into_iter();
            let chosen = tuned.filter(|one| one.threshold.chosen());
            (inputs, chosen.map(|one| (one.threshold.class, one.calibrated())).collect())
        });
        let points: BTreeMap<_, BTreeMap<_, _>> = points.collect();
        point.by_inputs = points.into_iter().filter(|(_, classes)| !classes.is_empty()).collect();
    }
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
