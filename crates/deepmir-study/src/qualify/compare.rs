//! Two finished qualifications against each other: two protocols, or two models.

use std::path::{Path, PathBuf};

use deepmir_cases::bids;
use deepmir_lesion::metrics::Bootstrap;
use serde::Serialize;

use super::difference::Difference;
use super::page::comparison_page;
use super::rows::ImplantRow;
use super::sensitivity::{Group, groups};
use super::summary::{Finished, Provenance};
use super::tally::input_sets;
use crate::StudyError;

/// A kind of implants with a set of inputs of each side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedGroup {
    /// `CMB` or `NHID`.
    pub kind: String,
    /// The inputs of each side.
    pub inputs: [String; 2],
    /// The second less the first.
    pub difference: Difference,
}

/// Two qualifications.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// The program.
    pub program: String,
    /// The command.
    pub command: String,
    /// Where each lies.
    pub folders: [PathBuf; 2],
    /// What each was measured with.
    pub sides: [Provenance; 2],
    /// Resamples and seed.
    pub bootstrap: Bootstrap,
    /// Kind by kind.
    pub groups: Vec<ComparedGroup>,
}

/// The page of a comparison.
pub const COMPARISON_PAGE: &str = "comparison.html";

/// Compares the folders of two finished qualifications, the second with the first: with every set of inputs that both
/// have, or else with the most inputs of each.
///
/// # Errors
/// A folder that holds none; no kind of implant on both sides.
pub fn compare(
    folders: [&Path; 2],
    bootstrap: Bootstrap,
    command: String,
) -> Result<Compared, StudyError> {
    let [first, second] = [Finished::read(folders[0])?, Finished::read(folders[1])?];
    let mut compared = Vec::new();
    for (first_group, second_group) in matched(&first.implants, &second.implants) {
        let difference = Difference::of(
            &of(&first.implants, &first_group),
            &of(&second.implants, &second_group),
            &bootstrap,
        );
        if let Some(difference) = difference {
            compared.push(ComparedGroup {
                kind: first_group.kind,
                inputs: [first_group.inputs, second_group.inputs],
                difference,
            });
        }
    }
    if compared.is_empty() {
        let reason = format!(
            "these two have no kind of implant in common: {} and {}",
            folders[0].display(),
            folders[1].display()
        );
        return Err(StudyError::Subjects { reason });
    }
    Ok(Compared {
        program: deepmir_pipeline::program(),
        command,
        folders: folders.map(Path::to_owned),
        sides: [first.provenance, second.provenance],
        bootstrap,
        groups: compared,
    })
}

fn of<'a>(rows: &'a [ImplantRow], group: &Group) -> Vec<&'a ImplantRow> {
    rows.iter().filter(|row| row.kind == group.kind && row.inputs == group.inputs).collect()
}

/// The groups that are compared.
fn matched(first: &[ImplantRow], second: &[ImplantRow]) -> Vec<(Group, Group)> {
    let (ours, theirs) = (groups(first), groups(second));
    let same: Vec<(Group, Group)> = ours
        .iter()
        .filter(|group| theirs.contains(group))
        .map(|group| (group.clone(), group.clone()))
        .collect();
    let [sets, other_sets] = [input_sets(first), input_sets(second)];
    if sets.iter().any(|set| other_sets.contains(set)) {
        return same;
    }
    let (Some(set), Some(other)) = (sets.last(), other_sets.last()) else { return Vec::new() };
    let with =
        |group: &Group, inputs: &str| Group { kind: group.kind.clone(), inputs: inputs.to_owned() };
    let most = ours.iter().filter(|group| group.inputs == *set);
    most.map(|group| (group.clone(), with(group, other)))
        .filter(|(_, there)| theirs.contains(there))
        .collect()
}

impl Compared {
    /// Writes `comparison.json` and the page into a folder.
    ///
    /// # Errors
    /// A folder that cannot be written to, or a full disk.
    pub fn write(&self, out: &Path) -> Result<PathBuf, StudyError> {
        std::fs::create_dir_all(out)
            .map_err(|source| StudyError::Write { path: out.to_owned(), source })?;
        let path = out.join(COMPARISON_PAGE);
        let html = comparison_page(self)?.html()?;
        deepmir_volume::atomic::write(&path, html.as_bytes())
            .map_err(|source| StudyError::Write { path: path.clone(), source })?;
        bids::write_json(&out.join("comparison.json"), self)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qualify::rows::tests::implant;

    fn with(inputs: &[&str]) -> Vec<ImplantRow> {
        let row = |inputs: &&str| ImplantRow {
            inputs: (*inputs).to_owned(),
            ..implant("sub-01", 1, 2.0, true)
        };
        inputs.iter().map(row).collect()
    }

    #[test]
    fn common_inputs_are_compared_and_else_the_most() {
        let names = |a: &[&str], b: &[&str]| -> Vec<[String; 2]> {
            let pairs = matched(&with(a), &with(b)).into_iter();
            pairs.map(|(a, b)| [a.inputs, b.inputs]).collect()
        };
        assert_eq!(
            names(&["SWI", "SWI+QSM"], &["SWI+QSM", "SWI+QSM+T2w"]),
            [["SWI+QSM".to_owned(), "SWI+QSM".to_owned()]]
        );
        assert_eq!(
            names(&["SWI", "SWI+QSM"], &["QSM"]),
            [["SWI+QSM".to_owned(), "QSM".to_owned()]]
        );
    }

    #[test]
    fn a_folder_without_results_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let told = compare([folder.path(); 2], Bootstrap::default(), String::new()).unwrap_err();
        let told = told.to_string();
        assert!(told.contains("no finished qualification") && told.contains("summary.json"));
    }
}
