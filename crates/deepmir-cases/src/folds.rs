//! Splitting subjects, never scans: every session of a subject falls on the same side.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

use crate::{CaseError, CaseFiles, Cohort, Groups};

/// One way of splitting a cohort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Training scans.
    pub training: Vec<CaseFiles>,
    /// Held-out scans.
    pub held_out: Vec<CaseFiles>,
}

/// `count` splits, each subject being held out in exactly one, drawn by `seed`. Subjects of one of the cohort's groups
/// fall on one side.
///
/// # Errors
/// If there are fewer subjects (or groups of them) than folds, or fewer than two folds.
pub fn folds(cohort: &Cohort, count: usize, seed: u64) -> Result<Vec<Split>, CaseError> {
    grouped_folds(cohort, &cohort.groups, count, seed)
}

/// [`folds()`], every group of subjects falling on one side.
///
/// # Errors
/// If there are fewer groups than folds, or fewer than two folds.
pub fn grouped_folds(
    cohort: &Cohort,
    groups: &Groups,
    count: usize,
    seed: u64,
) -> Result<Vec<Split>, CaseError> {
    let units = shuffled(cohort, groups, seed);
    if count < 2 || units.len() < count {
        let subjects = cohort.subjects().len();
        let sharing = if units.len() == subjects {
            String::new()
        } else {
            format!(" of {} patients or anatomies", units.len())
        };
        let remedy = match units.len() {
            2 => "give 2".to_owned(),
            most @ 3.. => format!("give 2 to {most}"),
            _ => "give scans of more patients".to_owned(),
        };
        let reason = format!("{subjects} subjects{sharing} cannot make {count} folds; {remedy}");
        return Err(CaseError::Subjects { reason });
    }
    let fold = |fold: usize| {
        let held: Vec<&String> = units.iter().skip(fold).step_by(count).collect();
        split(cohort, groups, &held)
    };
    Ok((0..count).map(fold).collect())
}

/// Holds out a share of the subjects (at least one, and at least one stays), drawn by `seed`. Subjects of one of the
/// cohort's groups fall on one side.
///
/// # Errors
/// If there are fewer than two subjects (or groups of them).
pub fn hold_out(cohort: &Cohort, share: f64, seed: u64) -> Result<Split, CaseError> {
    grouped_hold_out(cohort, &cohort.groups, share, seed)
}

/// [`hold_out`], every group of subjects falling on one side.
///
/// # Errors
/// If there are fewer than two groups.
pub fn grouped_hold_out(
    cohort: &Cohort,
    groups: &Groups,
    share: f64,
    seed: u64,
) -> Result<Split, CaseError> {
    let units = shuffled(cohort, groups, seed);
    if units.len() < 2 {
        return Err(CaseError::Subjects {
            reason: "a training needs at least two subjects (of different patients or anatomies): one to train on, one \
                     to validate on"
                .to_owned(),
        });
    }
    let count = ((units.len() as f64 * share).round() as usize).clamp(1, units.len() - 1);
    Ok(split(cohort, groups, &units.iter().take(count).collect::<Vec<_>>()))
}

fn shuffled(cohort: &Cohort, groups: &Groups, seed: u64) -> Vec<String> {
    let subjects = cohort.subjects();
    let units: BTreeSet<&str> = subjects.iter().map(|subject| groups.of(subject)).collect();
    let mut units: Vec<String> = units.into_iter().map(str::to_owned).collect();
    units.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    units
}

fn split(cohort: &Cohort, groups: &Groups, held: &[&String]) -> Split {
    let is_held = |case: &&CaseFiles| held.contains(&&groups.of_scan(&case.id));
    let (held_out, training): (Vec<&CaseFiles>, Vec<&CaseFiles>) =
        cohort.cases.iter().partition(is_held);
    let owned = |cases: Vec<&CaseFiles>| cases.into_iter().cloned().collect();
    Split { training: owned(training), held_out: owned(held_out) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn cohort(subjects: usize) -> Cohort {
        let case = |n: usize| CaseFiles {
            id: format!("sub-{:02}_ses-{}", n / 2, n % 2),
            images: BTreeMap::new(),
            mask: None,
            truth: None,
            unknown: None,
            contrast: None,
        };
        Cohort { cases: (0..2 * subjects).map(case).collect(), ..Cohort::default() }
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

    proptest! {
        #[test]
        fn subjects_with_one_anatomy_stay_together(
            anatomies in proptest::collection::vec(0_usize..6, 4..20), count in 2_usize..4,
            seed in any::<u64>(),
        ) {
            let cohort = cohort(anatomies.len());
            let mut groups = Groups::default();
            for (n, anatomy) in anatomies.iter().enumerate() {
                groups.insert(&format!("sub-{n:02}"), &format!("head-{anatomy}"));
            }
            let heads = |cases: &[CaseFiles]| -> BTreeSet<String> {
                cases.iter().map(|case| groups.of_scan(&case.id)).collect()
            };
            prop_assume!(heads(&cohort.cases).len() > count);
            for outer in grouped_folds(&cohort, &groups, count, seed).unwrap() {
                prop_assert!(heads(&outer.training).is_disjoint(&heads(&outer.held_out)));
                if heads(&outer.training).len() > 1 {
                    let rest = Cohort { cases: outer.training, ..Cohort::default() };
                    let inner = grouped_hold_out(&rest, &groups, 0.3, seed).unwrap();
                    prop_assert!(heads(&inner.training).is_disjoint(&heads(&inner.held_out)));
                }
            }
        }
    }

    #[test]
    fn too_few_subjects_are_an_error() {
        assert!(folds(&cohort(3), 5, 0).unwrap_err().to_string().contains("3 subjects"));
        assert!(hold_out(&cohort(1), 0.2, 0).is_err());
        let split = hold_out(&cohort(10), 0.2, 0).unwrap();
        assert_eq!(names(&split.held_out).len(), 2);
    }
}
