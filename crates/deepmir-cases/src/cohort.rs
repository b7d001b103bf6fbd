//! Cohorts: the scans of a BIDS dataset or a table.

mod extra;
mod select;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use deepmir_volume::Warning;

use crate::{CaseError, CaseFiles, Groups, Modality, bids, unknown_beside};
pub use extra::dataset_name;
use extra::files_of;

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

    /// Every scan of a BIDS dataset with its label map, brain mask and mask of unknown places, where there are any.
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
        let cases = scans.into_iter().map(|scan| {
            let truth = bids::of_scan(&truths, &scan.id).cloned();
            let unknown = truth.as_deref().map(unknown_beside).transpose()?.flatten();
            let (id, images, mask) = (scan.id, scan.images, scan.mask);
            Ok(CaseFiles { id, images, mask, truth, unknown, contrast: None })
        });
        let cases = cases.collect::<Result<Vec<CaseFiles>, CaseError>>()?;
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

    /// The names of the subjects (not scans), each once, in order.
    pub fn subjects(&self) -> Vec<String> {
        let subjects: BTreeSet<String> =
            self.cases.iter().map(|case| subject_of(&case.id)).collect();
        subjects.into_iter().collect()
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

/// The subject of a scan: `sub-01` of `sub-01_ses-2`.
pub fn subject_of(scan: &str) -> String {
    match scan.split_once('_') {
        Some((subject, _)) if subject.starts_with("sub-") => subject.to_owned(),
        _ => scan.to_owned(),
    }
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
    Ok(CaseFiles { id, images, mask, truth: None, unknown: None, contrast: None })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(super) fn cohort(ids: &[&str]) -> Cohort {
        let case = |id: &&str| CaseFiles {
            id: (*id).to_owned(),
            images: BTreeMap::new(),
            mask: None,
            truth: None,
            unknown: None,
            contrast: None,
        };
        Cohort { cases: ids.iter().map(case).collect(), ..Cohort::default() }
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
