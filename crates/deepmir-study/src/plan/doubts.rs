//! What a study cannot be done with, or whose results would be too good.

use std::collections::BTreeSet;

use deepmir_cases::cohort::subject_of;
use deepmir_cases::{CaseFiles, Checksums, Cohort, same_patient};
use deepmir_lesion::LesionClass;
use deepmir_net::train::{LesionCensus, TrainingSides};
use deepmir_volume::Warning;

use super::arm::Arm;
use super::participants::Participants;
use super::split::Fold;
use crate::StudyError;

/// Checks, before anything is trained, that every fold has lesions to learn from and to choose thresholds on. Returns
/// what can be done without, and what looks like one scan or one patient on two sides.
///
/// # Errors
/// A fold without a lesion to learn from or to choose on; a label map that cannot be read.
pub(super) fn doubts(
    participants: &Participants,
    folds: &[Fold],
    arms: &[Arm],
    checksums: &Checksums,
) -> Result<Vec<Warning>, StudyError> {
    let Participants { cohort, extra_training, .. } = participants;
    let mut warnings = cohort.warnings.clone();
    let census = LesionCensus::read(cohort.cases.iter().chain(extra_training))?;
    let classes: BTreeSet<Vec<LesionClass>> = arms.iter().map(|arm| arm.classes.clone()).collect();
    for fold in folds {
        let learned_from: Vec<&CaseFiles> = fold.training.iter().collect();
        for classes in &classes {
            let sides = TrainingSides {
                learned_from: &learned_from,
                validation: &fold.validation,
                classes,
                synthetic: false,
            };
            let found = census.check(&sides).map_err(|error| StudyError::Subjects {
                reason: format!(
                    "fold {}: {error}; or draw other folds with seed in [split]",
                    fold.name
                ),
            })?;
            warnings.extend(found.into_iter().map(|warning| {
                Warning::new(&warning.code, format!("fold {}: {}", fold.name, warning.message))
            }));
        }
    }
    let all = [cohort.cases.as_slice(), extra_training].concat();
    warnings.extend(checksums.twice(&all).map(|twins| twins.warning()));
    warnings.extend(folds.iter().find_map(|fold| visits(cohort, fold)));
    let mut seen = BTreeSet::new();
    warnings.retain(|warning| seen.insert(warning.message.clone()));
    Ok(warnings)
}

/// Subjects on two sides of a fold whose names look like visits of one patient.
fn visits(cohort: &Cohort, fold: &Fold) -> Option<Warning> {
    let known: BTreeSet<String> = cohort.subjects().into_iter().collect();
    let subjects = |cases: &[CaseFiles]| -> Vec<String> {
        let subjects = cases.iter().map(|case| subject_of(&case.id));
        subjects.filter(|subject| known.contains(subject)).collect()
    };
    let learned_from = subjects(&[fold.training.as_slice(), &fold.validation].concat());
    let held_out = subjects(&fold.held_out);
    let one: Vec<&str> = learned_from.iter().map(String::as_str).collect();
    let other: Vec<&str> = held_out.iter().map(String::as_str).collect();
    let (first, second) = same_patient(&one, &other)?;
    let message = format!(
        "{first} and {second} look like visits of one patient and fall on both sides of fold {}; say who is one patient \
         in the table groups, or in a column patient of the data's table",
        fold.name
    );
    Some(Warning::new("visits_on_both_sides", message))
}
