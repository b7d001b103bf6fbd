//! Training, validation and test subjects of each fold.

use deepmir_cases::CaseFiles;

use crate::StudyError;
use crate::plan::config::{SplitMethod, SplitSettings};
use crate::plan::participants::Participants;
use deepmir_cases::Cohort;
use deepmir_cases::folds::{Split, grouped_folds, grouped_hold_out};

/// One split of all subjects, the same for every arm and seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// `2`, or `1.2` for the second fold of the first of several rounds.
    pub name: String,
    /// To train on.
    pub training: Vec<CaseFiles>,
    /// To choose weights and thresholds on.
    pub validation: Vec<CaseFiles>,
    /// To be predicted.
    pub held_out: Vec<CaseFiles>,
}

/// Every fold of a study.
pub(crate) fn split(
    participants: &Participants,
    settings: &SplitSettings,
) -> Result<Vec<Fold>, StudyError> {
    let mut folds = Vec::new();
    for repeat in 0..settings.repeats {
        let seed = settings.seed.wrapping_add(repeat as u64 * 1_000);
        let outer = outer(participants, settings, seed)?;
        for (number, split) in outer.into_iter().enumerate() {
            let name = match settings.repeats {
                1 => (number + 1).to_string(),
                _ => format!("{}.{}", repeat + 1, number + 1),
            };
            // Another draw for every fold.
            folds.push(inner(
                participants,
                settings,
                split,
                name,
                seed.wrapping_add(1 + number as u64),
            )?);
        }
    }
    Ok(folds)
}

fn outer(
    participants: &Participants,
    settings: &SplitSettings,
    seed: u64,
) -> Result<Vec<Split>, StudyError> {
    let Participants { cohort, groups, .. } = participants;
    match settings.method {
        SplitMethod::Folds => Ok(grouped_folds(cohort, groups, settings.folds, seed)?),
        SplitMethod::LeaveOneOut => {
            let units = participants.groups_of(&cohort.cases).len();
            Ok(grouped_folds(cohort, groups, units, seed)?)
        }
        SplitMethod::Fixed => {
            let held_out = cohort.clone().only(&settings.test)?.cases;
            let tested = participants.groups_of(&held_out);
            let training: Vec<CaseFiles> = cohort.clone().without(&settings.test)?.cases;
            if let Some(case) =
                training.iter().find(|case| tested.contains(&participants.group(&case.id)))
            {
                return Err(StudyError::Subjects {
                    reason: format!(
                        "{} shares its anatomy or patient ({}) with a subject of test; put both on one side",
                        case.id,
                        participants.group(&case.id)
                    ),
                });
            }
            Ok(vec![Split { training, held_out }])
        }
    }
}

/// Takes the validation subjects from the training side.
fn inner(
    participants: &Participants,
    settings: &SplitSettings,
    split: Split,
    name: String,
    seed: u64,
) -> Result<Fold, StudyError> {
    let rest = Cohort { cases: split.training, ..Cohort::default() };
    let too_few = participants.groups_of(&rest.cases).len();
    let (mut training, validation) = match too_few {
        0 => (Vec::new(), Vec::new()),
        1 if !participants.extra_training.is_empty() => (Vec::new(), rest.cases),
        1 => (Vec::new(), Vec::new()),
        _ => {
            let inner =
                grouped_hold_out(&rest, &participants.groups, settings.validation_share, seed)?;
            (inner.training, inner.held_out)
        }
    };
    // No training subject may share an anatomy with a subject of the validation or test side.
    let excluded = participants.groups_of(split.held_out.iter().chain(&validation));
    let extra_training = participants
        .extra_training
        .iter()
        .filter(|case| !excluded.contains(&participants.group(&case.id)));
    training.extend(extra_training.cloned());
    if training.is_empty() || validation.is_empty() {
        return Err(StudyError::Subjects {
            reason: format!(
                "fold {name} leaves {too_few} subject{} to train on; it takes two (with different \
                 anatomies), one to train on and one to choose thresholds on, besides those held \
                 out: give three subjects or more, fewer in test, or other datasets to train on with extra_train",
                if too_few == 1 { "" } else { "s" }
            ),
        });
    }
    Ok(Fold { name, training, validation, held_out: split.held_out })
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_cases::Groups;
    use std::collections::BTreeMap;

    fn cases(ids: impl Iterator<Item = String>) -> Vec<CaseFiles> {
        let case = |id| CaseFiles {
            id,
            images: BTreeMap::new(),
            mask: None,
            truth: None,
            unknown: None,
            contrast: None,
        };
        ids.map(case).collect()
    }

    /// Subjects whose anatomies come in threes, and extra_training of the first four anatomies.
    fn participants(subjects: usize, extra_training: usize) -> Participants {
        let mut groups = Groups::default();
        for n in 0..subjects {
            groups.insert(&format!("sub-{n:02}"), &format!("head-{}", n / 3));
        }
        for n in 0..extra_training {
            groups.insert(&format!("phantoms-sub-{n:02}"), &format!("head-{n}"));
        }
        Participants {
            cohort: Cohort {
                cases: cases((0..2 * subjects).map(|n| format!("sub-{:02}_ses-{}", n / 2, n % 2))),
                ..Cohort::default()
            },
            extra_training: cases((0..extra_training).map(|n| format!("phantoms-sub-{n:02}"))),
            groups,
            left_out: Vec::new(),
        }
    }

    #[test]
    fn no_anatomy_is_on_two_sides_of_any_split() {
        let participants = participants(24, 4);
        for (method, folds, repeats, expected) in [
            (SplitMethod::Folds, 5, 1, 5),
            (SplitMethod::Folds, 3, 4, 12),
            (SplitMethod::LeaveOneOut, 0, 1, 8),
            (SplitMethod::Fixed, 0, 1, 1),
        ] {
            let test = match method {
                SplitMethod::Fixed => (0..6).map(|n| format!("{n:02}")).collect(),
                _ => Vec::new(),
            };
            let settings = SplitSettings { method, folds, repeats, test, ..Default::default() };
            let folds = split(&participants, &settings).unwrap();
            assert_eq!(folds.len(), expected);
            let mut held_out: Vec<&str> = Vec::new();
            for fold in &folds {
                let sides = [&fold.training, &fold.validation, &fold.held_out];
                let heads = sides.map(|side| participants.groups_of(side.iter()));
                assert!(heads.iter().all(|heads| !heads.is_empty()), "{}", fold.name);
                for (a, b) in [(0, 1), (0, 2), (1, 2)] {
                    assert!(heads[a].is_disjoint(&heads[b]), "{} {a} {b}", fold.name);
                }
                let own = fold.training.iter().filter(|case| !case.id.starts_with("phantoms"));
                assert_eq!(own.count() + fold.validation.len() + fold.held_out.len(), 48);
                held_out.extend(fold.held_out.iter().map(|case| case.id.as_str()));
            }
            if method != SplitMethod::Fixed {
                assert_eq!(held_out.len(), 48 * repeats, "every scan is held out once a round");
                held_out.sort_unstable();
                held_out.dedup();
                assert_eq!(held_out.len(), 48);
            }
            assert_eq!(split(&participants, &settings).unwrap(), folds, "the same again");
        }
    }

    #[test]
    fn a_fixed_split_through_an_anatomy_is_refused() {
        let settings = SplitSettings {
            method: SplitMethod::Fixed,
            test: vec!["00".to_owned()],
            ..Default::default()
        };
        let message = split(&participants(6, 0), &settings).unwrap_err().to_string();
        assert!(message.contains("sub-01") && message.contains("head-0"), "{message}");
    }

    #[test]
    fn two_subjects_are_too_few_without_extra_training_data() {
        let two = |extra_training| Participants {
            groups: Groups::default(),
            ..participants(2, extra_training)
        };
        let settings = SplitSettings { folds: 2, ..Default::default() };
        let message = split(&two(0), &settings).unwrap_err().to_string();
        assert!(message.contains("fold 1 leaves 1 subject to train on"), "{message}");
        let folds = split(&two(2), &settings).unwrap();
        assert_eq!(folds[0].training.len(), 2);
        assert_eq!((folds[0].validation.len(), folds[0].held_out.len()), (2, 2));
    }
}
