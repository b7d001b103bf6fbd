//! Names that look like visits of one patient.
//!
//! Only a hint: `pat1_v1` and `pat1_v2` surely are, `a-1` and `a-2` may be two patients of hospital a. So nothing is
//! decided by it; the user is asked.

use std::collections::BTreeMap;

/// What a visit is called, before its number.
const WORDS: [&str; 34] = [
    "v",
    "visit",
    "t",
    "tp",
    "timepoint",
    "time",
    "ses",
    "session",
    "scan",
    "exam",
    "run",
    "wave",
    "fu",
    "followup",
    "follow",
    "bl",
    "baseline",
    "base",
    "pre",
    "post",
    "m",
    "mo",
    "month",
    "y",
    "yr",
    "year",
    "w",
    "wk",
    "week",
    "d",
    "day",
    "retest",
    "rescan",
    "acq",
];
/// Most visits of one patient where only a number tells them apart: more are patients of one place.
const MOST_BARE: usize = 4;

/// Subjects of the same patient, as far as their names tell: each with its patient. Those that stand alone are left out.
fn patients<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, String> {
    let mut sure: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut bare: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in names {
        match apart(name) {
            Some((patient, true)) => sure.entry(patient).or_default().push(name),
            Some((patient, false)) => bare.entry(patient).or_default().push(name),
            None => {}
        }
    }
    bare.retain(|_, names| names.len() <= MOST_BARE);
    let several = sure.into_iter().chain(bare).filter(|(_, names)| names.len() > 1);
    let each = several.flat_map(|(patient, names)| {
        names.into_iter().map(move |name| (name, patient.clone())).collect::<Vec<_>>()
    });
    each.collect()
}

/// A subject's name without its visit, and whether a word says that it is one; `None` where nothing looks like a visit.
fn apart(name: &str) -> Option<(String, bool)> {
    let is_separator = |letter: char| "_-. +".contains(letter);
    let lower = name.to_lowercase();
    // `pat1_v2`, `pat1_2`, `pat1_20190405`.
    if let Some((patient, visit)) = lower.rsplit_once(is_separator) {
        if is_visit(visit) && names_someone(patient) {
            return Some((patient.to_owned(), true));
        }
        if is_date(visit) && names_someone(patient) {
            return Some((patient.to_owned(), false));
        }
        let bare = visit.len() <= 2 && visit.chars().all(|letter| letter.is_ascii_digit())
            || visit.len() == 1 && visit.chars().all(|letter| letter.is_ascii_alphabetic());
        if bare && patient.contains(|letter: char| letter.is_ascii_digit()) {
            return Some((patient.to_owned(), false));
        }
    }
    // `v2_pat1`.
    if let Some((visit, patient)) = lower.split_once(is_separator)
        && is_visit(visit)
        && names_someone(patient)
    {
        return Some((patient.to_owned(), true));
    }
    // `pat1v2`, `001a`.
    let stem = lower.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let word_start = stem
        .rfind(|letter: char| !letter.is_ascii_alphabetic())
        .map_or(0, |at| at + stem[at..].chars().next().map_or(1, char::len_utf8));
    let (patient, visit) = lower.split_at(word_start);
    let patient_ends_in_digit = patient.ends_with(|letter: char| letter.is_ascii_digit());
    if !patient_ends_in_digit || visit.is_empty() {
        return None;
    }
    if is_visit(visit) {
        return Some((patient.to_owned(), true));
    }
    let letter = visit.len() == 1;
    letter.then(|| (patient.to_owned(), false))
}

/// Whether anything is left but BIDS's prefix.
fn names_someone(text: &str) -> bool {
    !["", "sub"].contains(&text)
}

/// `20190405`.
fn is_date(text: &str) -> bool {
    text.len() == 8
        && (text.starts_with("19") || text.starts_with("20"))
        && text.chars().all(|letter| letter.is_ascii_digit())
}

/// `v1`, `baseline`, `m12`.
fn is_visit(text: &str) -> bool {
    let digits = text.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    let word = &text[..text.len() - digits.len()];
    // A single letter needs its number: `a_m` may be anything.
    let numbered = digits.len() <= 3 && (word.len() > 1 || !digits.is_empty());
    WORDS.contains(&word) && numbered && digits.chars().all(|letter| letter.is_ascii_digit())
}

/// The first two subjects of one side and another that look like visits of one patient.
pub fn same_patient<'a>(one: &[&'a str], other: &[&'a str]) -> Option<(&'a str, &'a str)> {
    let patients = patients(one.iter().chain(other).copied());
    one.iter().find_map(|first| {
        let patient = patients.get(first)?;
        let second = other.iter().find(|name| patients.get(*name) == Some(patient))?;
        Some((*first, *second))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_of_one_patient_are_recognised_by_their_names() {
        for (one, other) in [
            ("pat1_v1", "pat1_v2"),
            ("pat1-baseline", "pat1-m12"),
            ("P07_T1", "P07_T2"),
            ("sub-pat1v1", "sub-pat1v2"),
            ("001a", "001b"),
            ("ab12_1", "ab12_2"),
            ("x_20190405", "x_20210611"),
            ("v1_007", "v2_007"),
            ("bl_007", "fu_007"),
            ("smith_visit1", "smith_visit2"),
        ] {
            assert_eq!(same_patient(&[one, "other"], &["b", other]), Some((one, other)));
        }
    }

    #[test]
    fn subjects_of_one_hospital_are_not_visits() {
        let many: Vec<String> = (1..30).map(|n| format!("site1_{n:02}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(same_patient(&many[..10], &many[10..]), None);
        for (one, other) in [
            ("sub-01", "sub-02"),
            ("hospital_001", "hospital_002"),
            ("a", "b"),
            ("1", "2"),
            ("p1", "p2"),
            ("patient-7", "patient-8"),
            ("ktm_0012", "ktm_0013"),
            ("sub-v1", "sub-v2"),
        ] {
            assert_eq!(same_patient(&[one], &[other]), None, "{one} {other}");
        }
    }
}
