//! Choosing a second look, and the outline of what passes it.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::validation::{Measured, Tried, ValidationSubject};
use super::{EXTENTS, OperatingPoint};
use crate::second_look::{Example, PARTS, SecondLook, fit};
use crate::{Candidate, DetectionRule, LesionClass};

/// A second look needs this many subjects to learn from, so that each can be judged by what was
/// learned from the others.
const LEAST_SUBJECTS: usize = 5;
/// And this many true candidates of every class.
const LEAST_OF_A_CLASS: usize = 10;

/// Subjects at one extent.
pub(super) type Everyone<'a> = [(&'a ValidationSubject, &'a Tried)];

/// A second look learned from some subjects.
fn learn<'a>(
    subjects: impl Iterator<Item = &'a Tried>,
    classes: &[LesionClass],
) -> Option<SecondLook> {
    let examples = subjects.flat_map(|tried| {
        // However often a subject was seen again, that counts as much as seeing it once.
        let further = 1.0 / tried.further.len().max(1) as f64;
        let weighed = |weight| {
            move |one: &'a Measured| Example { features: &one.features, truth: one.truth, weight }
        };
        let seen_again = tried.further.iter().flatten().map(weighed(further));
        tried.examples.iter().map(weighed(1.0)).chain(seen_again)
    });
    fit(&examples.collect::<Vec<_>>(), classes)
}

/// Everyone's candidates, looked at again with what was learned from others; `None` where there is too
/// little to learn from.
pub(super) fn judged_by_others(
    subjects: &Everyone<'_>,
    classes: &[LesionClass],
) -> Option<Vec<Vec<Candidate>>> {
    let with_images = subjects.iter().all(|(subject, _)| subject.with_images);
    if subjects.len() < LEAST_SUBJECTS || !with_images {
        return None;
    }
    let count = |class: LesionClass| {
        let examples = subjects.iter().flat_map(|(_, tried)| &tried.examples);
        examples.filter(|one| one.truth == Some(class)).count()
    };
    if classes.iter().any(|&class| count(class) < LEAST_OF_A_CLASS) {
        return None;
    }
    let parts = subjects.len().min(PARTS);
    let looks: Option<Vec<SecondLook>> = (0..parts)
        .into_par_iter()
        .map(|part| {
            let others = subjects.iter().enumerate().filter(|(place, _)| place % parts != part);
            learn(others.map(|(_, (_, tried))| *tried), classes)
        })
        .collect();
    let looks = looks?;
    let judged = subjects.iter().enumerate().map(|(place, (subject, tried))| {
        let mut candidates = [tried.candidates.as_slice(), &tried.spots].concat();
        let measured = tried.examples.iter().map(|one| &one.features);
        looks[place % parts].judge_all(&mut candidates, measured, subject.deep.as_ref());
        candidates
    });
    Some(judged.collect())
}

/// Gives a rule chosen at extent `n` the look learned from everyone, and its outline. `judged` are the
/// candidates it was chosen on.
pub(super) fn complete(
    point: &mut OperatingPoint,
    n: usize,
    subjects: &Everyone<'_>,
    judged: &[Vec<Candidate>],
    classes: &[LesionClass],
) {
    point.rule.spots = subjects.iter().any(|(_, tried)| !tried.spots.is_empty());
    point.rule.dark_spots = point.rule.spots;
    point.rule.second_look = learn(subjects.iter().map(|(_, tried)| *tried), classes);
    point.rule.outline = best_outline(n, subjects, judged, &point.rule);
}

/// The least probability of a lesion's voxels at which what passes overlaps true lesions best (Dice over
/// all voxels); `None` if that is the extent.
fn best_outline(
    n: usize,
    subjects: &Everyone<'_>,
    judged: &[Vec<Candidate>],
    rule: &DetectionRule,
) -> Option<f32> {
    let dice = |outline: usize| {
        let (mut shared, mut sum) = (0, 0);
        for ((subject, _), candidates) in subjects.iter().zip(judged) {
            let brighter = subject.tried[outline].as_ref()?;
            let brighter = brighter.candidates.iter().flat_map(|bright| &bright.lesion.voxels);
            let brighter: BTreeSet<&usize> = brighter.collect();
            let truth: BTreeSet<&usize> =
                subject.truth.iter().flat_map(|lesion| &lesion.voxels).collect();
            sum += truth.len();
            for candidate in candidates.iter().filter(|candidate| rule.passes(candidate)) {
                let voxels: Vec<&usize> = candidate.lesion.voxels.iter().collect();
                let bright = voxels.iter().copied().filter(|voxel| brighter.contains(voxel));
                let bright: Vec<&usize> = bright.collect();
                let kept = if bright.is_empty() { voxels } else { bright };
                sum += kept.len();
                shared += kept.iter().filter(|voxel| truth.contains(*voxel)).count();
            }
        }
        Some(2.0 * shared as f64 / sum.max(1) as f64)
    };
    let best = (n..EXTENTS.len())
        .filter_map(|outline| Some((dice(outline)?, outline)))
        .reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.filter(|(_, outline)| *outline > n).map(|(_, outline)| EXTENTS[outline])
}
