//! The subjects of a dataset, and their scans. An error in one subject stays with it and does not hide the
//! others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_cases::{CaseError, LabelKind, Modality};
use deepmir_recon::input::EchoParts;

use crate::PipelineError;
use deepmir_cases::bids;

/// A subject's folder and what is in it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// `sub-01`.
    pub id: String,
    /// Its scans by name, or what is wrong with the folder.
    pub scans: Result<Vec<FoundScan>, String>,
}

/// One scan of a subject: a session, or a run of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundScan {
    /// `sub-01`, `sub-01_ses-2`, `sub-01_ses-2_run-1`.
    pub id: String,
    /// `2`.
    pub session: Option<String>,
    /// Where its derivatives go below the output folder: `sub-01/ses-2/anat`.
    pub folder: PathBuf,
    /// Its maps.
    pub images: BTreeMap<Modality, PathBuf>,
    /// Its brain mask.
    pub mask: Option<PathBuf>,
    /// Its raw echoes, or why they cannot be used; empty if there are none.
    pub echoes: Result<Vec<EchoParts>, String>,
}

/// Subjects of a dataset, by name: those of the `wanted` labels (`sub-01` or `01`), or all if it is empty. The
/// folders of the others are not listed: on a cluster, ten thousand jobs of one subject each would
/// otherwise read ten thousand folders each. `masks` is a folder with more brain masks
/// (`*_desc-brain_mask`).
///
/// # Errors
/// A folder that cannot be read or holds no subject, or a wanted subject that is not there.
pub fn subjects(
    dataset: &Path,
    masks: Option<&Path>,
    wanted: &[String],
) -> Result<Vec<Subject>, PipelineError> {
    let mut folders = subject_names(dataset)?;
    if folders.is_empty() {
        return Err(CaseError::NoScans { path: dataset.to_owned() }.into());
    }
    let labels = wanted.iter().map(String::as_str);
    let there = folders.iter().map(String::as_str);
    if let Some(unknown) = LabelKind::Subject.unknown(labels, there) {
        let reason = format!("{unknown}: {}", dataset.display());
        return Err(PipelineError::Subjects { reason });
    }
    let wanted: Vec<String> = wanted.iter().map(|name| LabelKind::Subject.full(name)).collect();
    folders.retain(|name| wanted.is_empty() || wanted.contains(name));
    let masks = match masks {
        Some(folder) => bids::brain_masks(folder)?,
        None => BTreeMap::new(),
    };
    let subject = |id: String| {
        let scans = scans_of(&id, &dataset.join(&id), &masks).map_err(|error| error.to_string());
        Subject { id, scans }
    };
    Ok(folders.into_iter().map(subject).collect())
}

/// The names of a dataset's subjects (`sub-01`), in order. None of their folders is listed.
///
/// # Errors
/// A folder that cannot be read.
pub fn subject_names(dataset: &Path) -> Result<Vec<String>, PipelineError> {
    let fault = |source| PipelineError::Read { path: dataset.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dataset).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A link to nowhere is no folder, and yet somebody meant a subject by it.
        let folder = entry.file_type().is_ok_and(|kind| kind.is_dir() || kind.is_symlink());
        if name.starts_with("sub-") && folder {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn scans_of(
    id: &str,
    folder: &Path,
    masks: &BTreeMap<String, PathBuf>,
) -> Result<Vec<FoundScan>, PipelineError> {
    bids::check_places(id, folder)?;
    let raw = bids::raw_scans_of(folder);
    let mut scans: BTreeMap<String, FoundScan> = BTreeMap::new();
    for scan in bids::scans_of(folder)? {
        let mask = scan.mask.or_else(|| masks.get(&scan.id).cloned());
        let found = found(&scan.id, id, scan.session);
        scans.insert(scan.id.clone(), FoundScan { images: scan.images, mask, ..found });
    }
    match raw {
        Ok(raw) => {
            for scan in raw {
                let session = scan.session.clone();
                let entry = scans.entry(scan.id.clone());
                entry.or_insert_with(|| found(&scan.id, id, session)).echoes = Ok(scan.echoes);
            }
        }
        // Maps may do without; only a scan that has none asks for the echoes.
        Err(error) => {
            let reason = error.to_string();
            scans.values_mut().for_each(|scan| scan.echoes = Err(reason.clone()));
            if scans.is_empty() {
                return Err(error.into());
            }
        }
    }
    share_t2w(&mut scans);
    Ok(scans.into_values().collect())
}

fn found(scan: &str, subject: &str, session: Option<String>) -> FoundScan {
    let mut folder = PathBuf::from(subject);
    if let Some(session) = &session {
        folder.push(format!("ses-{session}"));
    }
    FoundScan {
        id: scan.to_owned(),
        session,
        folder: folder.join("anat"),
        images: BTreeMap::new(),
        mask: None,
        echoes: Ok(Vec::new()),
    }
}

/// A T2w image without a `run` belongs to every run of its session.
fn share_t2w(scans: &mut BTreeMap<String, FoundScan>) {
    let only_t2w: Vec<FoundScan> = scans
        .values()
        .filter(|scan| {
            scan.images.len() == 1
                && scan.images.contains_key(&Modality::T2w)
                && scan.echoes.as_ref().is_ok_and(Vec::is_empty)
        })
        .cloned()
        .collect();
    for alone in only_t2w {
        let prefix = format!("{}_run-", alone.id);
        let runs: Vec<String> =
            scans.keys().filter(|id| id.starts_with(&prefix)).cloned().collect();
        for run in &runs {
            if let Some(scan) = scans.get_mut(run) {
                let image = alone.images[&Modality::T2w].clone();
                scan.images.entry(Modality::T2w).or_insert(image);
            }
        }
        if !runs.is_empty() {
            scans.remove(&alone.id);
        }
    }
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
        let found = subjects(folder.path(), None, &[]).unwrap();
        let of = |n: usize| &found[n].scans;
        assert_eq!(of(0).as_ref().unwrap()[0].folder, Path::new("sub-01/anat"));
        assert!(of(1).as_ref().unwrap_err().contains("two SWI"), "{:?}", of(1));
        assert!(of(2).as_ref().unwrap_err().contains("sub-04_swi.nii"), "{:?}", of(2));
        let runs = of(3).as_ref().unwrap();
        assert_eq!(runs.len(), 2);
        assert!(runs.iter().all(|run| run.images.len() == 2), "{runs:?}");
        assert!(of(4).as_ref().unwrap_err().contains("ses-b"), "{:?}", of(4));
        assert!(of(5).as_ref().unwrap().is_empty());
        let some = subjects(folder.path(), None, &["05".to_owned()]).unwrap();
        assert_eq!(some.iter().map(|subject| &subject.id[..]).collect::<Vec<_>>(), ["sub-05"]);
        let none = subjects(folder.path(), None, &["sub-99".to_owned()]).unwrap_err().to_string();
        assert!(none.contains("no sub-99; there are sub-01, sub-02"), "{none}");
    }
}
