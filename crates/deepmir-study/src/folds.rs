//! Splitting subjects, never scans: every session of a subject falls on the same side.

use deepmir_net::CaseFiles;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

use crate::{Cohort, StudyError, cohort};

/// One way of splitting a cohort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// To learn from.
    pub training: Vec<CaseFiles>,
    /// Set aside.
    pub held_out: Vec<CaseFiles>,
}

/// `count` splits, each subject being held out in exactly one, drawn by `seed`.
///
/// # Errors
/// If there are fewer subjects than folds, or fewer than two folds.
pub fn folds(cohort: &Cohort, count: usize, seed: u64) -> Result<Vec<Split>, StudyError> {
    let subjects = shuffled(cohort, seed);
    if count < 2 || subjects.len() < count {
        return Err(StudyError::Subjects {
            reason: format!(
                "{} subjects cannot make {count} folds; give 2 to {}",
                subjects.len(),
                subjects.len()
            ),
        });
    }
    let fold = |fold: usize| {
        let held: Vec<&String> = subjects.iter().skip(fold).step_by(count).collect();
        split(cohort, &held)
    };
    Ok((0..count).map(fold).collect())
}

/// Holds out a share of the subjects (at least one, and at least one stays), drawn by `seed`.
///
/// # Errors
/// If there are fewer than two subjects.
pub fn hold_out(cohort: &Cohort, share: f64, seed: u64) -> Result<Split, StudyError> {
    let subjects = shuffled(cohort, seed);
    if subjects.len() < 2 {
        return Err(StudyError::Subjects {
            reason: "a training needs at least two subjects: one to learn from, one to validate on"
                .to_owned(),
        });
    }
    let count = ((subjects.len() as f64 * share).round() as usize).clamp(1, subjects.len() - 1);
    Ok(split(cohort, &subjects.iter().take(count).collect::<Vec<_>>()))
}

fn shuffled(cohort: &Cohort, seed: u64) -> Vec<String> {
    let mut subjects = cohort.subjects();
    subjects.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    subjects
}

fn split(cohort: &Cohort, held: &[&String]) -> Split {
    let is_held = |case: &&CaseFiles| held.contains(&&cohort::subject_of(&case.id));
    let (held_out, training): (Vec<&CaseFiles>, Vec<&CaseFiles>) =
        cohort.cases.iter().partition(is_held);
    let owned = |cases: Vec<&CaseFiles>| cases.into_iter().cloned().collect();
    Split { training: owned(training), held_out: owned(held_out) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn cohort(subjects: usize) -> Cohort {
        let case = |n: usize| CaseFiles {
            id: format!("sub-{:02}_ses-{}", n / 2, n % 2),
            images: BTreeMap::new(),
            mask: None,
            truth: None,
        };
        Cohort { cases: (0..2 * subjects).map(case).collect() }
    }

    fn names(cases: &[CaseFiles]) -> BTreeSet<String> {
        cases.iter().map(|case| cohort::subject_of(&case.id)).collect()
    }

    proptest! {
        #[test]
        fn every_subject_is_held_out_once_with_all_its_sessions(
            subjects in 2_usize..20, count in 2_usize..8, seed in any::<u64>(),
        ) {
            prop_assume!(count <= subjects);
            let cohort = cohort(subjects);
            let splits = folds(&cohort, count, seed).unwrap();
            let mut seen = BTreeSet::new();
            for split in &splits {
                prop_assert_eq!(split.training.len() + split.held_out.len(), cohort.cases.len());
                let held = names(&split.held_out);
                prop_assert!(held.is_disjoint(&names(&split.training)));
                prop_assert!(held.iter().all(|subject| seen.insert(subject.clone())));
            }
            prop_assert_eq!(seen.len(), subjects);
            prop_assert_eq!(folds(&cohort, count, seed).unwrap(), splits);
        }
    }

    #[test]
    fn too_few_subjects_are_told() {
        assert!(folds(&cohort(3), 5, 0).unwrap_err().to_string().contains("3 subjects"));
        assert!(hold_out(&cohort(1), 0.2, 0).is_err());
        let split = hold_out(&cohort(10), 0.2, 0).unwrap();
        assert_eq!(names(&split.held_out).len(), 2);
    }
}
