//! Who is trained on and who validates in `deepmir train`, and whether that can be so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::bail;
use deepmir_cases::cohort::{check_apart, subject_of};
use deepmir_cases::folds::{Split, folds, hold_out};
use deepmir_cases::{CaseFiles, Checksums, Cohort, same_patient};
use deepmir_lesion::LesionClass;
use deepmir_net::train::{LesionCensus, NOT_VALIDATED, TrainingSides};

use super::implanted::Implanted;
use super::{chosen, warn_of};
use crate::cli::Train;

/// Share of the subjects that choose weights and thresholds: the validation subjects.
const VALIDATION_SHARE: f64 = 0.2;

/// The subjects to train and validate on, and auxiliary data to train on only.
pub(super) fn cohort(
    arguments: &Train,
    implanted: Option<&Implanted>,
) -> anyhow::Result<(Cohort, Cohort)> {
    let mut cohort = match implanted {
        Some(implanted) => implanted.learned_from.cohort.clone(),
        None => Cohort::read(&arguments.data, arguments.labels.as_deref())?,
    };
    if let Some(table) = &arguments.groups {
        let known = cohort.subjects().into_iter().collect();
        cohort.groups.add_table(table, &known)?;
    }
    // Checked against the whole cohort: a held-out subject must not return as auxiliary data.
    let auxiliary = cohort.extra(&arguments.extra_train)?;
    // Read again when the folds are joined; checked here so that an error comes before the training.
    let extra_validation = cohort.extra(&arguments.extra_validation)?;
    let place = |data: &Path| data.canonicalize().unwrap_or_else(|_| data.to_owned());
    let validates_on =
        |data: &PathBuf| arguments.extra_validation.iter().any(|other| place(other) == place(data));
    if let Some(both) = arguments.extra_train.iter().find(|data| validates_on(data)) {
        bail!("give data to --extra-train or to --extra-validation, not both: {}", both.display());
    }
    warn_of(cohort.warnings.iter().chain(&auxiliary.warnings).chain(&extra_validation.warnings));
    let whole = cohort.clone();
    // Implanted scans are chosen by those that they were made from.
    if implanted.is_none() {
        cohort = chosen(cohort, &arguments.only)?;
    }
    let (tables, names): (Vec<String>, Vec<String>) =
        arguments.held_out.iter().cloned().partition(|item| Path::new(item).is_file());
    for table in tables {
        let test = Cohort::from_table(Path::new(&table))?;
        check_apart(&cohort, "the training data", &test, &table)?;
        test.extra(&arguments.extra_train)?;
        test.extra(&arguments.extra_validation)?;
        warn_of_visits(&cohort.cases, &test.cases, "the training data and --held-out");
        let sums = Checksums::of_images(cohort.cases.iter().chain(&test.cases))?;
        warn_of(sums.twins(&cohort.cases, &test.cases).map(|twins| twins.warning()).iter());
    }
    if !names.is_empty() {
        if arguments.only.participant_label.is_empty() {
            cohort = cohort.without(&names)?;
        } else if let Ok(both) = cohort.clone().only(&names) {
            check_apart(&cohort, "--participant-label", &both, "--held-out")?;
        }
        if let Ok(held_out) = whole.only(&names) {
            check_groups(&cohort, &held_out.cases, "--held-out")?;
            warn_of_visits(&cohort.cases, &held_out.cases, "the training data and --held-out");
        }
    }
    // Scans without a label map cannot be trained on; a missing image is an error later, by name.
    let (with, without): (Vec<CaseFiles>, Vec<CaseFiles>) =
        cohort.cases.into_iter().partition(|case| case.truth.is_some());
    if !without.is_empty() {
        let names: Vec<&str> = without.iter().map(|case| case.id.as_str()).collect();
        tracing::warn!("left out, having no label map: {}", names.join(", "));
    }
    if with.is_empty() {
        bail!("no subject has a label map to train on: {}", arguments.data.display());
    }
    Ok((Cohort { cases: with, ..cohort }, auxiliary))
}

/// The training and validation subjects of each network.
pub(super) fn splits(arguments: &Train, cohort: &Cohort, seed: u64) -> anyhow::Result<Vec<Split>> {
    if let Some(count) = arguments.folds {
        if arguments.fold.is_some_and(|fold| fold > count) {
            bail!("there is no fold {} of {count}", arguments.fold.unwrap_or_default());
        }
        return Ok(folds(cohort, usize::from(count), seed)?);
    }
    if arguments.validation_label.is_empty() {
        return Ok(vec![hold_out(cohort, VALIDATION_SHARE, seed)?]);
    }
    let rest = cohort.clone().without(&arguments.validation_label)?;
    let held_out = cohort.clone().only(&arguments.validation_label)?.cases;
    check_groups(&rest, &held_out, "--validation-label")?;
    Ok(vec![Split { training: rest.cases, held_out }])
}

/// Refuses subjects of one patient or anatomy on both sides.
fn check_groups(training: &Cohort, held_out: &[CaseFiles], held_by: &str) -> anyhow::Result<()> {
    let groups = &training.groups;
    let held: BTreeSet<String> = held_out.iter().map(|case| groups.of_scan(&case.id)).collect();
    match training.cases.iter().find(|case| held.contains(&groups.of_scan(&case.id))) {
        Some(case) => bail!(
            "{} is of the same patient or anatomy ({}) as a subject of {held_by}; name all of them, so that nobody is \
             on both sides",
            case.id,
            groups.of_scan(&case.id)
        ),
        None => Ok(()),
    }
}

/// Checks, before hours of training, that each network has lesions to learn from and to validate on, and tells of
/// visits of one patient that fall on both sides.
pub(super) fn check(
    arguments: &Train,
    splits: &[Split],
    auxiliary: &Cohort,
    classes: &[LesionClass],
) -> anyhow::Result<()> {
    let everyone = splits.iter().flat_map(|split| split.training.iter().chain(&split.held_out));
    let unique: BTreeMap<&str, &CaseFiles> =
        everyone.chain(&auxiliary.cases).map(|case| (case.id.as_str(), case)).collect();
    let census = LesionCensus::read(unique.into_values())?;
    let synthetic = arguments.phantoms > 0;
    let anew = arguments.init_from.is_none() && arguments.retrain_on_all.is_none();
    let absent = |class: &&LesionClass| {
        let mut sides =
            splits.iter().flat_map(|split| split.training.iter().chain(&split.held_out));
        !census.has(&mut sides, **class) && !census.has(&auxiliary.cases, **class)
    };
    let there: Vec<&str> =
        classes.iter().filter(|class| !absent(class)).map(|class| class.name()).collect();
    if let Some(class) = classes.iter().find(absent)
        && anew
        && !synthetic
        && !there.is_empty()
    {
        bail!(
            "there is no {class} in these label maps, so a network that is to find {class} cannot learn it; train without \
             it (--classes {}), or give label maps with {class}: {}",
            there.join(","),
            arguments.data.display()
        );
    }
    for (n, split) in splits.iter().enumerate() {
        let learned_from: Vec<&CaseFiles> = split.training.iter().chain(&auxiliary.cases).collect();
        let sides = TrainingSides {
            learned_from: &learned_from,
            validation: &split.held_out,
            classes,
            synthetic,
        };
        // The training itself tells what can be done without.
        census.check(&sides).map_err(|error| match splits.len() {
            1 => anyhow::Error::from(error),
            count => anyhow::anyhow!("fold {} of {count}: {error}; or give fewer --folds", n + 1),
        })?;
    }
    for split in splits {
        let side = if splits.len() > 1 { "a fold" } else { "the validation" };
        if warn_of_visits(&split.training, &split.held_out, side) {
            break;
        }
    }
    Ok(())
}

/// Whether a warning of the training is for the user: in a cross-validation thresholds are chosen on all folds together.
pub(super) fn concerns(arguments: &Train, code: &str) -> bool {
    code != NOT_VALIDATED || arguments.folds.is_none()
}

/// Tells of subjects on both sides whose names look like visits of one patient; returns whether there are some.
fn warn_of_visits(one: &[CaseFiles], other: &[CaseFiles], sides: &str) -> bool {
    let subjects = |cases: &[CaseFiles]| -> Vec<String> {
        cases.iter().map(|case| subject_of(&case.id)).collect()
    };
    let (one, other) = (subjects(one), subjects(other));
    let one: Vec<&str> = one.iter().map(String::as_str).collect();
    let other: Vec<&str> = other.iter().map(String::as_str).collect();
    let Some((first, second)) = same_patient(&one, &other) else { return false };
    tracing::warn!(
        "{first} and {second} look like visits of one patient and fall on both sides of {sides}, so that thresholds and F1 \
         would be too good; say who is one patient in a column patient of the table, or with --groups"
    );
    true
}
