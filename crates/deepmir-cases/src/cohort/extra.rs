//! Scans of several datasets, which keep apart from their namesakes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Cohort, subject_of};
use crate::{CaseError, CaseFiles, Groups};

impl Cohort {
    /// Every labelled scan of auxiliary datasets (`--extra-train`, `--extra-validation`), with the dataset in its name, so
    /// that `sub-01` of two datasets stay two. None of their files may belong to this cohort.
    ///
    /// # Errors
    /// As [`Cohort::read`]; a dataset without label maps; a file that both have.
    pub fn extra(&self, datasets: &[PathBuf]) -> Result<Self, CaseError> {
        let own: BTreeSet<PathBuf> = self.cases.iter().flat_map(files_of).collect();
        let mut extra = Self::joined(Self::read_each(datasets)?);
        extra.cases.retain(|case| case.truth.is_some());
        match extra.cases.iter().flat_map(files_of).find(|file| own.contains(file)) {
            Some(shared) => Err(CaseError::Subjects {
                reason: format!(
                    "a file of --extra-train or --extra-validation is one of the data already; name other datasets, so \
                     that no subject is both trained and tested on: {}",
                    shared.display()
                ),
            }),
            None => Ok(extra),
        }
    }

    /// Reads datasets with label maps and puts each one's name before those of its scans.
    pub(super) fn read_each(datasets: &[PathBuf]) -> Result<Vec<Self>, CaseError> {
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let each = datasets.iter().map(|path| {
            let name = dataset_name(path);
            let count = names.entry(name.clone()).or_default();
            *count += 1;
            let prefix = if *count == 1 { name } else { format!("{name}{count}") };
            let mut cohort = Self::read(path, None)?.with_labels(path)?;
            let prefixed = |name: &str| format!("{prefix}-{name}");
            for case in &mut cohort.cases {
                case.id = prefixed(&case.id);
            }
            // The patients of a table are its own; an anatomy that a dataset states is the same everywhere.
            let anatomy = path.is_dir();
            let group = |name: &str| if anatomy { name.to_owned() } else { prefixed(name) };
            // As [`subject_of`] takes them, which knows no sessions of prefixed names.
            let mut groups = Groups::default();
            for case in &cohort.cases {
                let own = &case.id[prefix.len() + 1..];
                let of = cohort.groups.of_scan(own);
                let named = if of == subject_of(own) { prefixed(&of) } else { group(&of) };
                if named != case.id {
                    groups.insert(&case.id, &named);
                }
            }
            cohort.groups = groups;
            Ok(cohort)
        });
        each.collect()
    }
}

/// A scan's images and label map, by their canonical paths.
pub(super) fn files_of(case: &CaseFiles) -> Vec<PathBuf> {
    let files = case.images.values().chain(&case.truth);
    files.map(|path| path.canonicalize().unwrap_or_else(|_| path.clone())).collect()
}

/// The name of a dataset's folder or table, fit for file names: the name given (a link's own name), or
/// the folder's where that has none (`.`, `..`).
pub fn dataset_name(path: &Path) -> String {
    let place = match path.file_stem() {
        Some(_) => path.to_owned(),
        None => path.canonicalize().unwrap_or_else(|_| path.to_owned()),
    };
    let name = place.file_stem().unwrap_or_default().to_string_lossy();
    let plain = name.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' });
    Some(plain.collect::<String>()).filter(|name| !name.is_empty()).unwrap_or("other".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn extra_cases_keep_apart_from_namesakes_and_from_the_cohort_itself() {
        let folder = tempfile::tempdir().unwrap();
        let dataset = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            for file in ["a.nii", "t.nii", "u.nii"] {
                fs::write(path.join(file), b"").unwrap();
            }
            let path = path.join("train set.csv");
            fs::write(&path, "id,truth,swi\nsub-1,t.nii,a.nii\nsub-2,,a.nii\n").unwrap();
            path
        };
        let (here, one, two) = (dataset("here"), dataset("one"), dataset("two"));
        let cohort = Cohort::read(&here, None).unwrap();
        let ids: Vec<String> =
            cohort.extra(&[one, two]).unwrap().cases.into_iter().map(|case| case.id).collect();
        assert_eq!(ids, ["train-set-sub-1", "train-set2-sub-1"]);
        let message = cohort.extra(&[here]).unwrap_err().to_string();
        assert!(message.contains("one of the data already"), "{message}");
    }
}
