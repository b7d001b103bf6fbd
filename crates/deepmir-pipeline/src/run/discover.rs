//! The subjects of a dataset, and their scans. An error in one subject stays with it and does not hide the
//! others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use deepmir_cases::bids::{self, Filters, Scan, ScanTimes, SubjectFolder};
use deepmir_cases::{CaseError, LabelKind, Modality};

use crate::PipelineError;

/// A subject's folder and what is in it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// `sub-01`.
    pub id: String,
    /// Its scans by name, or what is wrong with the folder.
    pub scans: Result<Vec<Scan>, String>,
    /// When they were made, if they are of several sessions.
    pub times: BTreeMap<String, ScanTimes>,
    /// What to say if there are no scans.
    pub nothing: String,
}

/// Subjects of a dataset, by name: those of the `wanted` labels (`sub-01` or `01`), or all if it is empty. The
/// folders of the others are not listed: on a cluster, ten thousand jobs of one subject each would
/// otherwise read ten thousand folders each. `masks` is a folder with more brain masks
/// (`*_desc-brain_mask`); `filters` choose among several images of one kind.
///
/// # Errors
/// A folder that cannot be read or holds no subject, or a wanted subject that is not there.
pub fn subjects(
    dataset: &Path,
    masks: Option<&Path>,
    wanted: &[String],
    filters: &Filters,
) -> Result<Vec<Subject>, PipelineError> {
    let mut folders = bids::subject_folders(dataset)?;
    if folders.is_empty() {
        return Err(CaseError::NoScans { path: dataset.to_owned() }.into());
    }
    let labels = wanted.iter().map(String::as_str);
    let there = folders.iter().map(|folder| folder.name.as_str());
    if let Some(unknown) = LabelKind::Subject.unknown(labels, there) {
        let reason = format!("{unknown}: {}", dataset.display());
        return Err(PipelineError::Subjects { reason });
    }
    let wanted: Vec<String> = wanted.iter().map(|name| LabelKind::Subject.full(name)).collect();
    folders.retain(|folder| wanted.is_empty() || wanted.contains(&folder.name));
    let masks = match masks {
        Some(folder) => bids::brain_masks(folder)?,
        None => BTreeMap::new(),
    };
    Ok(folders.into_iter().map(|folder| subject(folder, &masks, filters)).collect())
}

/// The names of a dataset's subjects (`sub-01`), in order. None of their folders is listed.
///
/// # Errors
/// A folder that cannot be read.
pub fn subject_names(dataset: &Path) -> Result<Vec<String>, PipelineError> {
    Ok(bids::subject_folders(dataset)?.into_iter().map(|folder| folder.name).collect())
}

fn subject(
    SubjectFolder { name, path }: SubjectFolder,
    masks: &BTreeMap<String, PathBuf>,
    filters: &Filters,
) -> Subject {
    let scans = scans_of(&name, &path, masks, filters).map_err(|error| error.to_string());
    let found = scans.as_deref().unwrap_or_default();
    let sessions: BTreeSet<&String> =
        found.iter().filter_map(|scan| scan.session.as_ref()).collect();
    let times = match sessions.len() {
        0 | 1 => BTreeMap::new(),
        _ => found.iter().map(|scan| (scan.id.clone(), ScanTimes::of(scan, &path))).collect(),
    };
    let mut nothing = "no images or raw echoes under BIDS names".to_owned();
    if found.is_empty()
        && let Ok(Some((count, first))) = bids::without_bids_names(&path)
    {
        nothing += &format!("; {count} have other names, such as {}", first.display());
    }
    Subject { id: name, scans, times, nothing }
}

fn scans_of(
    id: &str,
    folder: &Path,
    masks: &BTreeMap<String, PathBuf>,
    filters: &Filters,
) -> Result<Vec<Scan>, PipelineError> {
    let mut scans = bids::scans_of(id, folder, filters)?;
    for scan in &mut scans {
        scan.check_single(&Modality::ALL)?;
        if scan.mask.is_none() {
            scan.mask = bids::of_scan(masks, &scan.id).cloned();
        }
        // As beside the images, a mask without a run serves every run.
        if scan.mask.is_none()
            && let Some((without_run, _)) = scan.id.split_once("_run-")
        {
            scan.mask = bids::of_scan(masks, without_run).cloned();
        }
    }
    Ok(scans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn faults_stay_with_their_subject() {
        let folder = tempfile::tempdir().unwrap();
        for file in [
            "sub-01/anat/sub-01_swi.nii",
            "sub-02/anat/sub-02_swi.nii",
            "sub-02/anat/sub-02_acq-swi_T2starw.nii",
            "sub-03/anat/sub-04_swi.nii",
            "sub-05/ses-a/anat/sub-05_ses-a_T2w.nii",
            "sub-05/ses-a/anat/sub-05_ses-a_run-1_swi.nii",
            "sub-05/ses-a/anat/sub-05_ses-a_run-2_swi.nii",
            "sub-06/ses-a/anat/sub-06_ses-b_swi.nii",
        ] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        fs::create_dir(folder.path().join("sub-07")).unwrap();
        fs::write(folder.path().join("sub-07/patient 7.nii"), b"").unwrap();
        let found = subjects(folder.path(), None, &[], &Filters::default()).unwrap();
        let of = |n: usize| &found[n].scans;
        assert_eq!(of(0).as_ref().unwrap()[0].folder(), Path::new("sub-01/anat"));
        assert!(of(1).as_ref().unwrap_err().contains("two SWI"), "{:?}", of(1));
        assert!(of(2).as_ref().unwrap_err().contains("sub-04_swi.nii"), "{:?}", of(2));
        let runs = of(3).as_ref().unwrap();
        assert_eq!(runs.len(), 2);
        assert!(runs.iter().all(|run| run.images.len() == 2), "{runs:?}");
        assert!(of(4).as_ref().unwrap_err().contains("ses-b"), "{:?}", of(4));
        assert!(of(5).as_ref().unwrap().is_empty());
        assert!(found[5].nothing.contains("patient 7.nii"), "{}", found[5].nothing);
        let some = subjects(folder.path(), None, &["05".to_owned()], &Filters::default()).unwrap();
        assert_eq!(some.iter().map(|subject| &subject.id[..]).collect::<Vec<_>>(), ["sub-05"]);
        let none = subjects(folder.path(), None, &["sub-99".to_owned()], &Filters::default())
            .unwrap_err()
            .to_string();
        assert!(none.contains("no sub-99; there are sub-01, sub-02"), "{none}");
    }
}
