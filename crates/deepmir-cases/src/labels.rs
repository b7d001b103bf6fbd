//! Labels of subjects and sessions, as users give them and as datasets have them.

use std::collections::BTreeSet;
use std::path::Path;

use crate::CaseError;

/// What a label names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelKind {
    /// `sub-01`.
    Subject,
    /// `ses-01`.
    Session,
}

/// So many near or known labels are named in an error.
const NAMED: usize = 5;

impl LabelKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Subject => "sub-",
            Self::Session => "ses-",
        }
    }

    /// The label without its prefix: `01` of both `01` and `sub-01`.
    pub fn bare(self, label: &str) -> &str {
        label.strip_prefix(self.prefix()).unwrap_or(label)
    }

    /// The label with its prefix: `sub-01` of both `01` and `sub-01`.
    pub fn full(self, label: &str) -> String {
        format!("{}{}", self.prefix(), self.bare(label))
    }

    /// Names the `wanted` labels that are not among the `known` ones, and what is near them; `None` if
    /// there are none. Wanted ones may have their prefix or not; known ones are named as they are.
    pub fn unknown<'a>(
        self,
        wanted: impl IntoIterator<Item = &'a str>,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        let known: BTreeSet<&str> = known.into_iter().collect();
        let bare: BTreeSet<&str> = known.iter().map(|label| self.bare(label)).collect();
        let wanted: BTreeSet<&str> = wanted.into_iter().map(|label| self.bare(label)).collect();
        let missing: Vec<&str> = wanted.difference(&bare).copied().collect();
        if missing.is_empty() {
            return None;
        }
        // The subjects of a table may have no prefix.
        let prefixed = known.is_empty() || known.iter().any(|name| name.starts_with(self.prefix()));
        let named = |label: &&str| if prefixed { self.full(label) } else { (*label).to_owned() };
        let names: Vec<String> = missing.iter().map(named).collect();
        let near = self.near(&missing, &known);
        let rest = match (near.is_empty(), known.len()) {
            (_, 0) => "there are none".to_owned(),
            (false, _) => format!("similar: {}", near.join(", ")),
            (true, count) => {
                let first: Vec<&str> = known.iter().copied().take(NAMED).collect();
                let more = if count > NAMED { format!(", … ({count})") } else { String::new() };
                format!("there are {}{more}", first.join(", "))
            }
        };
        Some(format!("there is no {}; {rest}", names.join(", ")))
    }

    /// Known labels near the missing ones, the nearest first.
    fn near<'a>(self, missing: &[&str], known: &BTreeSet<&'a str>) -> Vec<&'a str> {
        let nearest = |name: &str| {
            let of = |missing: &&str| distance(missing, self.bare(name));
            missing.iter().filter_map(of).min()
        };
        let mut near: Vec<(usize, &str)> =
            known.iter().filter_map(|&name| Some((nearest(name)?, name))).collect();
        near.sort_unstable();
        near.into_iter().take(NAMED).map(|(_, name)| name).collect()
    }
}

/// Keeps the scans of some subjects and sessions, whose labels may have their prefix or not; no labels keep all.
/// `subject` and `session` give a scan's own, without prefix.
///
/// # Errors
/// Naming subjects and sessions that no scan of the dataset is of.
pub fn choose<T>(
    scans: &mut Vec<T>,
    (subjects, subject): (&[String], impl Fn(&T) -> &str),
    (sessions, session): (&[String], impl Fn(&T) -> Option<&str>),
    dataset: &Path,
) -> Result<(), CaseError> {
    keep(scans, LabelKind::Subject, subjects, |scan| Some(subject(scan)), dataset)?;
    keep(scans, LabelKind::Session, sessions, session, dataset)
}

fn keep<T>(
    scans: &mut Vec<T>,
    kind: LabelKind,
    wanted: &[String],
    label: impl Fn(&T) -> Option<&str>,
    dataset: &Path,
) -> Result<(), CaseError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let there: BTreeSet<String> =
        scans.iter().filter_map(|scan| Some(kind.full(label(scan)?))).collect();
    let labels = there.iter().map(String::as_str);
    if let Some(unknown) = kind.unknown(wanted.iter().map(String::as_str), labels) {
        return Err(CaseError::Subjects { reason: format!("{unknown}: {}", dataset.display()) });
    }
    let bare: Vec<&str> = wanted.iter().map(|name| kind.bare(name)).collect();
    scans.retain(|scan| label(scan).is_some_and(|label| bare.contains(&label)));
    Ok(())
}

/// How far apart two labels are: 0 if they differ only in letter case and leading zeros, else the edits that
/// turn one into the other; `None` if these are more than a third of it.
fn distance(one: &str, other: &str) -> Option<usize> {
    let plain = |label: &str| label.trim_start_matches('0').to_lowercase();
    let (one, other): (Vec<char>, Vec<char>) =
        (plain(one).chars().collect(), plain(other).chars().collect());
    let edits = edits(&one, &other);
    (edits == 0 || 3 * edits <= one.len().max(other.len()).max(3)).then_some(edits)
}

/// Levenshtein's distance.
fn edits(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_may_be_given_or_not() {
        for label in ["01", "sub-01"] {
            assert_eq!(LabelKind::Subject.bare(label), "01");
            assert_eq!(LabelKind::Subject.full(label), "sub-01");
            assert_eq!(LabelKind::Subject.unknown([label], ["sub-01", "02"]), None);
        }
        assert_eq!(LabelKind::Session.full("sub-1"), "ses-sub-1");
    }

    #[test]
    fn unknown_labels_are_named_with_the_nearest_or_the_first() {
        let subject = |wanted: &[&'static str], known: &[&'static str]| {
            LabelKind::Subject.unknown(wanted.iter().copied(), known.iter().copied()).unwrap()
        };
        let known = ["sub-001", "sub-002", "sub-pat0417"];
        assert_eq!(subject(&["1"], &known), "there is no sub-1; similar: sub-001, sub-002");
        let told = subject(&["PAT0471", "sub-002"], &known);
        assert_eq!(told, "there is no sub-PAT0471; similar: sub-pat0417");
        let told = subject(&["control9", "xyz12"], &known);
        assert_eq!(
            told,
            "there is no sub-control9, sub-xyz12; there are sub-001, sub-002, sub-pat0417"
        );
        let many = ["a1", "b2", "c3", "d4", "e5", "f6"];
        let told = subject(&["unheard"], &many);
        // A table's subjects need no prefix.
        assert_eq!(told, "there is no unheard; there are a1, b2, c3, d4, e5, … (6)");
        assert_eq!(subject(&["1"], &[]), "there is no sub-1; there are none");
    }

    #[test]
    fn scans_are_chosen_by_both() {
        let all = [("01", Some("a")), ("01", Some("b")), ("02", None)];
        let chosen = |subjects: &[&str], sessions: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
            let mut scans = all.to_vec();
            let (subjects, sessions) = (owned(subjects), owned(sessions));
            let data = Path::new("data");
            choose(&mut scans, (&subjects, |scan| scan.0), (&sessions, |scan| scan.1), data)
                .map(|()| scans)
                .map_err(|error| error.to_string())
        };
        assert_eq!(chosen(&[], &[]).unwrap(), all);
        assert_eq!(chosen(&["sub-01", "01"], &["ses-b"]).unwrap(), [("01", Some("b"))]);
        assert_eq!(chosen(&["02"], &["a"]).unwrap_err(), "there is no ses-a; there are none: data");
        assert!(chosen(&["3"], &[]).unwrap_err().ends_with("similar: sub-01, sub-02: data"));
    }

    #[test]
    fn edits_are_counted() {
        let of = |one: &str, other: &str| {
            edits(&one.chars().collect::<Vec<_>>(), &other.chars().collect::<Vec<_>>())
        };
        assert_eq!((of("kitten", "sitting"), of("", "abc"), of("same", "same")), (3, 3, 0));
    }
}
