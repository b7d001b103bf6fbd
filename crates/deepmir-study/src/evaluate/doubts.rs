//! What is odd about the files of an evaluation, though they can be compared.

use std::path::{Path, PathBuf};

use deepmir_cases::cohort::subject_of;
use deepmir_cases::{Groups, same_patient};
use deepmir_volume::{Warning, nifti};
use serde_json::Value;

use super::{Evaluation, EvaluationPair};

/// So many scans are named in a warning.
const NAMED: usize = 3;

/// What the user must know to believe an evaluation: maps in each other's place, scans that the model learned from, visits
/// of one patient that count as patients, classes without a true lesion.
pub fn doubts(evaluation: &Evaluation, pairs: &[EvaluationPair], groups: &Groups) -> Vec<Warning> {
    let swapped = swapped(pairs).into_iter();
    swapped
        .chain(compared_with_itself(pairs))
        .chain(learned_from(pairs))
        .chain(several_visits(pairs, groups))
        .chain(without_lesions(evaluation))
        .collect()
}

/// What lies beside a label map that this program predicted: model, settings, sources.
fn sidecar(label_map: &Path) -> Option<Value> {
    let path: PathBuf = label_map.with_file_name(format!("{}.json", nifti::stem(label_map)));
    let sidecar: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    sidecar.get("Model").is_some().then_some(sidecar)
}

/// Whether a model made a label map, by the file beside it.
pub(crate) fn is_predicted(label_map: &Path) -> bool {
    sidecar(label_map).is_some()
}

fn swapped(pairs: &[EvaluationPair]) -> Option<Warning> {
    let is_swapped =
        |pair: &&EvaluationPair| is_predicted(&pair.truth) && !is_predicted(&pair.predicted);
    let pair = pairs.iter().find(is_swapped)?;
    let message = format!(
        "a model made the map that is taken for the truth, and none the prediction; are --truth and --pred in each \
         other's place? {}",
        pair.truth.display()
    );
    Some(Warning::new("truth_and_prediction_swapped", message))
}

fn compared_with_itself(pairs: &[EvaluationPair]) -> Option<Warning> {
    let is_one = |pair: &&EvaluationPair| {
        let place = pair.truth.canonicalize();
        place.is_ok_and(|truth| pair.predicted.canonicalize().is_ok_and(|other| other == truth))
    };
    let pair = pairs.iter().find(is_one)?;
    let message = format!(
        "truth and prediction are the same file, so that they agree; give the true label maps to --truth and those of a \
         model to --pred: {}",
        pair.truth.display()
    );
    Some(Warning::new("compared_with_itself", message))
}

fn learned_from(pairs: &[EvaluationPair]) -> Option<Warning> {
    let known = |pair: &&EvaluationPair| {
        sidecar(&pair.predicted).is_some_and(|sidecar| sidecar["LearnedFrom"] == Value::Bool(true))
    };
    let scans: Vec<&EvaluationPair> = pairs.iter().filter(known).collect();
    let first = scans.first()?;
    let message = format!(
        "the model learned from {} of the {} scans ({}), so that results are too good; test on others: {}",
        scans.len(),
        pairs.len(),
        named(scans.iter().map(|pair| pair.id.as_str())),
        first.predicted.display()
    );
    Some(Warning::new("tested_on_training_scans", message))
}

fn several_visits(pairs: &[EvaluationPair], groups: &Groups) -> Option<Warning> {
    let subjects: Vec<String> = pairs.iter().map(|pair| subject_of(&pair.id)).collect();
    let alone = |name: &&String| groups.of(name) == name.as_str();
    let subjects: std::collections::BTreeSet<&str> =
        subjects.iter().filter(alone).map(String::as_str).collect();
    let subjects: Vec<&str> = subjects.into_iter().collect();
    let (first, second) =
        (0..subjects.len()).find_map(|n| same_patient(&subjects[n..=n], &subjects[n + 1..]))?;
    let message = format!(
        "{first} and {second} look like visits of one patient and count as two, so that intervals are too narrow; say who \
         is one patient with --groups"
    );
    Some(Warning::new("visits_count_as_patients", message))
}

fn without_lesions(evaluation: &Evaluation) -> Vec<Warning> {
    let empty = evaluation.classes.iter().filter(|class| class.truth == 0);
    let told = empty.map(|class| {
        let scans = evaluation.subjects.len();
        let message = format!(
            "there is no true {} in {scans} scan{}, so that its sensitivity, F1 and Dice are n/a",
            class.class,
            if scans == 1 { "" } else { "s" }
        );
        Warning::new("no_true_lesions", message)
    });
    told.collect()
}

fn named<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let more = if names.len() > NAMED { ", …" } else { "" };
    names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ") + more
}
