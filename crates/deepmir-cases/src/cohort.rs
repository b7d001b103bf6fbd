//! Cohorts: the scans of a BIDS dataset or a table.

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use deepmir_volume::Warning;

use crate::{CaseError, CaseFiles, Groups, LabelKind, Modality, bids};

/// Subjects with their files, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cohort {
    /// Each scan.
    pub cases: Vec<CaseFiles>,
    /// Which subjects must stay on one side of every split.
    pub groups: Groups,
    /// What was noticed.
    pub warnings: Vec<Warning>,
}

impl Cohort {
    /// From a BIDS dataset (a folder) or a table (a `.csv` or `.tsv` file). `labels` names the
    /// folder of a dataset's label maps; without it, the only one in its `derivatives/`.
    ///
    /// # Errors
    /// As [`Cohort::from_bids`] and [`Cohort::from_table`].
    pub fn read(path: &Path, labels: Option<&Path>) -> Result<Self, CaseError> {
        if path.is_dir() { Self::from_bids(path, labels) } else { Self::from_table(path) }
    }

    /// Every scan of a BIDS dataset with its label map and brain mask, where there are any.
    ///
    /// # Errors
    /// A folder without scans or label maps, or an ambiguous one.
    pub fn from_bids(dataset: &Path, labels: Option<&Path>) -> Result<Self, CaseError> {
        let scans = bids::scans(dataset)?;
        let folder = match labels {
            Some(folder) => folder.to_owned(),
            None => bids::only_labels_folder(dataset)?,
        };
        let truths = bids::label_maps(&folder)?;
        if truths.is_empty() {
            return Err(bids::no_label_maps(&folder));
        }
        let cases = scans.into_iter().map(|scan| CaseFiles {
            truth: bids::of_scan(&truths, &scan.id).cloned(),
            mask: scan.mask,
            images: scan.images,
            id: scan.id,
        });
        let cases: Vec<CaseFiles> = cases.collect();
        let anatomies = Groups::of_dataset(dataset)?;
        let mut groups = Groups::default();
        for case in &cases {
            if let Some(group) = Groups::stated(case, &anatomies)? {
                groups.insert(&subject_of(&case.id), &group);
            }
        }
        let warnings = without_images(&truths, &cases, &folder).into_iter().collect();
        Ok(Self { cases, groups, warnings })
    }

    /// Every scan of one or more datasets that has a label map, and the names of those left out because they have none.
    /// Of several datasets scans are named after both. `labels` is as with [`Cohort::read`], for one dataset.
    ///
    /// # Errors
    /// As [`Cohort::read`]; a dataset without label maps; a file that two of them have.
    pub fn labelled(
        datasets: &[PathBuf],
        labels: Option<&Path>,
    ) -> Result<(Self, Vec<String>), CaseError> {
        let all = match datasets {
            [path] => vec![Self::read(path, labels)?.with_labels(path)?],
            _ => Self::read_each(datasets)?,
        };
        let Self { cases, groups, warnings } = Self::joined(all);
        let (cases, without): (Vec<CaseFiles>, Vec<CaseFiles>) =
            cases.into_iter().partition(|case| case.truth.is_some());
        let mut seen = BTreeSet::new();
        let twice = cases.iter().flat_map(files_of).find(|file| !seen.insert(file.clone()));
        match twice {
            Some(file) if datasets.len() > 1 => Err(CaseError::Subjects {
                reason: format!("two of the datasets have this file: {}", file.display()),
            }),
            _ => {
                let without = without.into_iter().map(|case| case.id).collect();
                Ok((Self { cases, groups, warnings }, without))
            }
        }
    }

    /// All scans of several.
    fn joined(all: Vec<Self>) -> Self {
        all.into_iter().fold(Self::default(), |mut joined, cohort| {
            joined.cases.extend(cohort.cases);
            joined.groups.extend(cohort.groups);
            joined.warnings.extend(cohort.warnings);
            joined
        })
    }

    /// Only the scans of some subjects, named with or without `sub-`.
    ///
    /// # Errors
    /// Naming those that are not in the cohort.
    pub fn only(mut self, subjects: &[String]) -> Result<Self, CaseError> {
        self.check_known(subjects)?;
        self.cases.retain(|case| is_among(&case.id, subjects));
        Ok(self)
    }

    /// Only the scans of some sessions, named with or without `ses-`.
    ///
    /// # Errors
    /// Naming those that no scan is of.
    pub fn only_sessions(mut self, sessions: &[String]) -> Result<Self, CaseError> {
        let there = self.cases.iter().filter_map(|case| session_of(&case.id));
        let there: BTreeSet<String> = there.map(|name| LabelKind::Session.full(name)).collect();
        let wanted = sessions.iter().map(String::as_str);
        let unknown = LabelKind::Session.unknown(wanted, there.iter().map(String::as_str));
        if let Some(reason) = unknown {
            return Err(CaseError::Subjects { reason });
        }
        let bare: Vec<&str> = sessions.iter().map(|name| LabelKind::Session.bare(name)).collect();
        self.cases.retain(|case| session_of(&case.id).is_some_and(|name| bare.contains(&name)));
        Ok(self)
    }

    /// All but the scans of some subjects.
    ///
    /// # Errors
    /// Naming those that are not in the cohort.
    pub fn without(mut self, subjects: &[String]) -> Result<Self, CaseError> {
        self.check_known(subjects)?;
        self.cases.retain(|case| !is_among(&case.id, subjects));
        Ok(self)
    }

    /// The names of the subjects (not scans), each once, in order.
    pub fn subjects(&self) -> Vec<String> {
        let subjects: BTreeSet<String> =
            self.cases.iter().map(|case| subject_of(&case.id)).collect();
        subjects.into_iter().collect()
    }

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
    fn read_each(datasets: &[PathBuf]) -> Result<Vec<Self>, CaseError> {
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

    /// Requires that at least one scan has a label map.
    fn with_labels(self, path: &Path) -> Result<Self, CaseError> {
        match self.cases.iter().any(|case| case.truth.is_some()) {
            true => Ok(self),
            false if path.is_dir() => Err(bids::no_label_maps(path)),
            false => Err(CaseError::Table {
                path: path.to_owned(),
                reason: "no row names a label map in the column truth".to_owned(),
            }),
        }
    }

    fn check_known(&self, subjects: &[String]) -> Result<(), CaseError> {
        let known = |name: &&String| {
            self.cases.iter().any(|case| is_among(&case.id, std::slice::from_ref(name)))
        };
        let missing = subjects.iter().filter(|name| !known(name)).map(String::as_str);
        let there = self.subjects();
        match LabelKind::Subject.unknown(missing, there.iter().map(String::as_str)) {
            Some(reason) => Err(CaseError::Subjects { reason }),
            None => Ok(()),
        }
    }
}

/// Says that label maps are of scans that are not in the dataset.
fn without_images(
    truths: &BTreeMap<String, PathBuf>,
    cases: &[CaseFiles],
    folder: &Path,
) -> Option<Warning> {
    let taken: BTreeSet<&PathBuf> = cases.iter().filter_map(|case| case.truth.as_ref()).collect();
    let alone = truths.iter().filter(|(_, path)| !taken.contains(path));
    let names: Vec<&str> = alone.map(|(scan, _)| scan.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let message = format!(
        "label maps are passed over, as there are no images of {}; are the names those of the scans? {}",
        names.join(", "),
        folder.display()
    );
    Some(Warning::new("label_map_without_images", message))
}

/// A scan's images and label map, by their canonical paths.
fn files_of(case: &CaseFiles) -> Vec<PathBuf> {
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

/// The subject of a scan: `sub-01` of `sub-01_ses-2`.
pub fn subject_of(scan: &str) -> String {
    match scan.split_once('_') {
        Some((subject, _)) if subject.starts_with("sub-") => subject.to_owned(),
        _ => scan.to_owned(),
    }
}

/// The session of a scan: `2` of `sub-01_ses-2`.
fn session_of(scan: &str) -> Option<&str> {
    scan.split('_').find_map(|part| part.strip_prefix("ses-"))
}

/// Whether a scan belongs to one of some subjects, which may be named with or without `sub-`.
fn is_among(scan: &str, subjects: &[String]) -> bool {
    let subject = subject_of(scan);
    let bare = subject.strip_prefix("sub-").unwrap_or(&subject);
    subjects.iter().any(|name| *name == subject || name == bare || name == scan)
}

/// Checks that two cohorts share no subject.
///
/// # Errors
/// Naming the shared subjects.
pub fn check_apart(
    one: &Cohort,
    one_name: &str,
    other: &Cohort,
    other_name: &str,
) -> Result<(), CaseError> {
    let units = |cohort: &Cohort| -> BTreeSet<String> {
        let subjects = cohort.subjects();
        let groups = subjects.iter().map(|subject| cohort.groups.of(subject).to_owned());
        groups.chain(subjects.iter().cloned()).collect()
    };
    let both: Vec<String> = units(one).intersection(&units(other)).cloned().collect();
    if both.is_empty() {
        return Ok(());
    }
    Err(CaseError::Subjects {
        reason: format!(
            "{} stand both in {one_name} and in {other_name}; remove them from one, because a test on \
             training data proves nothing",
            both.join(", ")
        ),
    })
}

/// A scan from its images named one by one, as `deepmir predict` takes them.
///
/// # Errors
/// Without an image.
pub fn single_case(
    images: BTreeMap<Modality, PathBuf>,
    mask: Option<PathBuf>,
) -> Result<CaseFiles, CaseError> {
    let Some((_, reference)) = images.first_key_value() else {
        return Err(CaseError::Subjects { reason: "give at least one image".to_owned() });
    };
    let id = bids::BidsName::derived_from(reference).scan();
    Ok(CaseFiles { id, images, mask, truth: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn cohort(ids: &[&str]) -> Cohort {
        let case = |id: &&str| CaseFiles {
            id: (*id).to_owned(),
            images: BTreeMap::new(),
            mask: None,
            truth: None,
        };
        Cohort { cases: ids.iter().map(case).collect(), ..Cohort::default() }
    }

    #[test]
    fn subjects_are_chosen_with_or_without_their_prefix() {
        let all = cohort(&["sub-01_ses-1", "sub-01_ses-2", "sub-02", "sub-03"]);
        let ids = |cohort: Cohort| cohort.cases.into_iter().map(|case| case.id).collect::<Vec<_>>();
        let some = all.clone().only(&["01".to_owned(), "sub-03".to_owned()]).unwrap();
        assert_eq!(ids(some), ["sub-01_ses-1", "sub-01_ses-2", "sub-03"]);
        let rest = all.clone().without(&["01".to_owned()]).unwrap();
        assert_eq!(ids(rest), ["sub-02", "sub-03"]);
        let told = all.only(&["07".to_owned()]).unwrap_err().to_string();
        assert!(told.contains("no sub-07") && told.contains("sub-03"), "{told}");
    }

    #[test]
    fn sessions_are_chosen_with_or_without_their_prefix() {
        let all = cohort(&["sub-01_ses-1", "sub-01_ses-2_run-1", "sub-02"]);
        let ids = |cohort: Cohort| cohort.cases.into_iter().map(|case| case.id).collect::<Vec<_>>();
        for label in ["2", "ses-2"] {
            let some = all.clone().only_sessions(&[label.to_owned()]).unwrap();
            assert_eq!(ids(some), ["sub-01_ses-2_run-1"]);
        }
        let told = all.only_sessions(&["02".to_owned(), "1".to_owned()]).unwrap_err().to_string();
        assert_eq!(told, "there is no ses-02; similar: ses-2, ses-1");
    }

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

    #[test]
    fn label_maps_without_images_are_told() {
        let folder = bids::tests::dataset(&[
            "sub-01/anat/sub-01_swi.nii",
            "derivatives/a/sub-01_seg-lesions_dseg.nii",
            "derivatives/a/sub-001_seg-lesions_dseg.nii",
        ]);
        let cohort = Cohort::read(folder.path(), None).unwrap();
        assert!(cohort.cases[0].truth.is_some());
        let [told] = cohort.warnings.as_slice() else { panic!("{:?}", cohort.warnings) };
        assert!(told.message.contains("no images of sub-001"), "{told}");
    }

    #[test]
    fn shared_subjects_are_refused_even_in_other_sessions() {
        let train = cohort(&["sub-01_ses-1", "sub-02"]);
        let test = cohort(&["sub-01_ses-2", "sub-03"]);
        let message = check_apart(&train, "the training list", &test, "the test list")
            .unwrap_err()
            .to_string();
        assert!(message.contains("sub-01 stand both"), "{message}");
        assert!(check_apart(&train, "a", &cohort(&["sub-03"]), "b").is_ok());
    }
}
