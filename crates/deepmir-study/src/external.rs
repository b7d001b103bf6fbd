//! Data sets of others, in the layout in which they are published, as BIDS datasets of links.

use std::path::{Path, PathBuf};

use deepmir_cases::bids::{self, write_json};
use serde_json::json;

use crate::StudyError;

/// The microbleeds of the VALDO challenge 2021 (task 2), as its training data are published: a folder `sub-NNN` a case, with
/// `sub-NNN_space-T2S_desc-masked_T2S.nii.gz`, `…_T2.nii.gz` and `…_T1.nii.gz` without their skulls on the grid of the
/// T2*-weighted image, and `sub-NNN_space-T2S_CMB.nii.gz`, 1 in microbleeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValdoData {
    cases: Vec<ValdoCase>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ValdoCase {
    subject: String,
    t2_star: PathBuf,
    t2: Option<PathBuf>,
    truth: PathBuf,
}

impl ValdoData {
    /// Finds the cases in a folder, or in `Task2` below it.
    ///
    /// # Errors
    /// A folder that cannot be read or has no case; a case without one of its files.
    pub fn find(folder: &Path) -> Result<Self, StudyError> {
        let below = folder.join("Task2");
        let folder = if below.is_dir() { below } else { folder.to_owned() };
        let mut cases = Vec::new();
        for path in listed(&folder)? {
            let Some(subject) = name_of(&path).filter(|name| name.starts_with("sub-")) else {
                continue;
            };
            if !path.is_dir() {
                continue;
            }
            let file = |ending: &str| path.join(format!("{subject}_space-T2S_{ending}.nii.gz"));
            let (t2_star, truth) = (file("desc-masked_T2S"), file("CMB"));
            if let Some(missing) = [&t2_star, &truth].into_iter().find(|path| !path.is_file()) {
                let reason = "a case of the challenge has this file; copy it again, or take the case's folder away";
                return Err(StudyError::Table { path: missing.clone(), reason: reason.to_owned() });
            }
            let t2 = Some(file("desc-masked_T2")).filter(|path| path.is_file());
            cases.push(ValdoCase { subject, t2_star, t2, truth });
        }
        if cases.is_empty() {
            let reason = "no cases of the challenge (sub-101/sub-101_space-T2S_CMB.nii.gz, …) here; give the folder of \
                          task 2"
                .to_owned();
            return Err(StudyError::Table { path: folder, reason });
        }
        Ok(Self { cases })
    }

    /// How many cases there are.
    pub fn count(&self) -> usize {
        self.cases.len()
    }

    /// Makes a BIDS dataset of links to the images (`*_T2starw`, `*_T2w`), the true label maps in its
    /// `derivatives/truth`. What is there already of these links stays. Returns the folder of the truth.
    ///
    /// # Errors
    /// A folder with other data; files that cannot be written.
    pub fn link(&self, dataset: &Path) -> Result<PathBuf, StudyError> {
        let truth = dataset.join("derivatives/truth");
        create(&truth)?;
        let description = json!({
            "Name": "VALDO 2021, task 2: cerebral microbleeds",
            "BIDSVersion": "1.10.0",
            "DatasetType": "raw",
        });
        write_json(&dataset.join("dataset_description.json"), &description)?;
        bids::write_dataset_description(&truth)?;
        for case in &self.cases {
            let subject = &case.subject;
            let anat = Path::new(subject).join("anat");
            let at = |folder: &Path, ending: &str| {
                folder.join(&anat).join(format!("{subject}_{ending}.nii.gz"))
            };
            link(&case.t2_star, &at(dataset, "T2starw"))?;
            if let Some(t2) = &case.t2 {
                link(t2, &at(dataset, "T2w"))?;
            }
            link(&case.truth, &at(&truth, "seg-lesions_dseg"))?;
        }
        Ok(truth)
    }

    /// Links another program's masks to a folder, under the names of the cases: of each case one image whose name begins with
    /// the case's, in `masks` or in a folder of the case in it.
    ///
    /// # Errors
    /// A case without a mask or with several; files that cannot be written.
    pub fn link_others(&self, masks: &Path, folder: &Path) -> Result<(), StudyError> {
        let there = listed(masks)?;
        for ValdoCase { subject, .. } in &self.cases {
            let own = masks.join(subject);
            let files = if own.is_dir() { listed(&own)? } else { there.clone() };
            let is_own = |path: &&PathBuf| {
                let rest =
                    name_of(path).and_then(|name| Some(name.strip_prefix(subject)?.to_owned()));
                rest.is_some_and(|rest| {
                    rest.starts_with(['_', '.', '-'])
                        && (rest.ends_with(".nii.gz") || rest.ends_with(".nii"))
                })
            };
            let found: Vec<&PathBuf> = files.iter().filter(is_own).collect();
            let [mask] = found[..] else {
                let reason = format!(
                    "{} masks of {subject} here; give a folder with one image a case, called {subject}….nii.gz",
                    if found.is_empty() { "no".to_owned() } else { found.len().to_string() }
                );
                return Err(StudyError::Table { path: masks.to_owned(), reason });
            };
            let ending =
                if mask.extension().is_some_and(|end| end == "gz") { "nii.gz" } else { "nii" };
            link(mask, &folder.join(format!("{subject}_seg-lesions_dseg.{ending}")))?;
        }
        Ok(())
    }
}

fn name_of(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}

/// What is in a folder, by name.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, StudyError> {
    let failed = |source| StudyError::Read { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(failed)?;
    paths.sort();
    Ok(paths)
}

fn create(folder: &Path) -> Result<(), StudyError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| StudyError::Write { path: folder.to_owned(), source })
}

/// Links a file to a place, where systems have links, and copies it elsewhere.
fn link(file: &Path, place: &Path) -> Result<(), StudyError> {
    let whole =
        file.canonicalize().map_err(|source| StudyError::Read { path: file.to_owned(), source })?;
    if place.symlink_metadata().is_ok() {
        if place.canonicalize().is_ok_and(|there| there == whole) {
            return Ok(());
        }
        let reason = "there is another file; choose another folder for the results".to_owned();
        return Err(StudyError::Table { path: place.to_owned(), reason });
    }
    if let Some(folder) = place.parent() {
        create(folder)?;
    }
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(&whole, place);
    #[cfg(not(unix))]
    let linked = std::fs::copy(&whole, place).map(|_| ());
    linked.map_err(|source| StudyError::Write { path: place.to_owned(), source })
}
