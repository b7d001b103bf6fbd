//! Formats 1 to 3 of the settings.
//!
//! Formats 2 and 3 have the same content under other names: `candidate_classifier` was `second_look` in the table
//! `detection`, `patch_classifier` was `closer_look`, and thresholds, features and the branches of trees had other keys.
//! Format 1 is format 2 without a candidate classifier.

use toml::{Table, Value};

/// Whether settings of format 1 have a classifier, which no later program knows.
pub(super) fn has_classifier(table: &Table) -> bool {
    table.get("detection").is_some_and(|rule| rule.get("second_look").is_some())
}

/// Renames the keys of formats 1 to 3 to those of format 4.
///
/// # Errors
/// Naming a key whose value is of another type.
pub(super) fn upgrade(table: &mut Table) -> Result<(), String> {
    rename(table, &[("closer_look", "patch_classifier")]);
    let Some(Value::Table(rule)) = table.get_mut("detection") else { return Ok(()) };
    let flag = |rule: &mut Table, key: &str| match rule.remove(key) {
        None => Ok(false),
        Some(Value::Boolean(value)) => Ok(value),
        Some(other) => Err(format!("detection.{key} is {other} where true or false is expected")),
    };
    let (any, with_swi) = (flag(rule, "spots")?, flag(rule, "dark_spots")?);
    let blobs = match (any, with_swi) {
        (false, _) => "none",
        (true, false) => "qsm",
        (true, true) => "swi-qsm",
    };
    rule.insert("blobs".to_owned(), Value::String(blobs.to_owned()));
    rename(rule, &RULE);
    if let Some(Value::Table(classes)) = rule.get_mut("classes") {
        for threshold in classes.iter_mut().filter_map(|(_, value)| value.as_table_mut()) {
            rename(threshold, &[("peak", "detection_threshold")]);
        }
    }
    if let Some(Value::Table(mut classifier)) = rule.remove("second_look") {
        upgrade_classifier(&mut classifier);
        table.insert("candidate_classifier".to_owned(), Value::Table(classifier));
    }
    Ok(())
}

fn upgrade_classifier(classifier: &mut Table) {
    if let Some(Value::Array(features)) = classifier.get_mut("features") {
        for feature in features {
            let known = FEATURES.iter().find(|(old, _)| feature.as_str() == Some(old));
            if let Some((_, new)) = known {
                *feature = Value::String((*new).to_owned());
            }
        }
    }
    let Some(Value::Array(rounds)) = classifier.get_mut("rounds") else { return };
    for trees in rounds.iter_mut().filter_map(Value::as_array_mut) {
        for tree in trees.iter_mut().filter_map(Value::as_table_mut) {
            rename(tree, &TREE);
        }
    }
}

fn rename(table: &mut Table, names: &[(&str, &str)]) {
    for (old, new) in names {
        if let Some(value) = table.remove(*old) {
            table.insert((*new).to_owned(), value);
        }
    }
}

const RULE: [(&str, &str); 3] = [
    ("extent", "candidate_threshold"),
    ("outline", "mask_threshold"),
    ("nhid_only_deep", "restrict_nhid_to_basal_ganglia"),
];
const TREE: [(&str, &str); 3] =
    [("absent_below", "missing_left"), ("below", "left"), ("above", "right")];
const FEATURES: [(&str, &str); 9] = [
    ("company", "neighbour-probability"),
    ("aside", "midline-distance"),
    ("forward", "anterior-posterior"),
    ("upward", "inferior-superior"),
    ("swi-spot", "swi-blob"),
    ("chi-spot", "chi-blob"),
    ("t2w-spot", "t2w-blob"),
    ("closer-cmb", "patch-cmb"),
    ("closer-nhid", "patch-nhid"),
];
