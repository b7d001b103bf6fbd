//! Data sets of others, in the layout in which they are published, as BIDS datasets of links.

mod aibl;
mod valdo;

use std::path::{Path, PathBuf};

use deepmir_cases::bids::{self, write_json};
use deepmir_volume::atomic;
use serde_json::json;

use crate::StudyError;
pub use aibl::AiblData;
pub use valdo::ValdoData;

/// A published data set that was found.
pub trait PublishedData {
    /// Makes a BIDS dataset of links to the images, with true label maps in its `derivatives/truth`. What is there already of
    /// these links stays. Returns the folder of the truth.
    ///
    /// # Errors
    /// A folder with other data; files that cannot be read or written.
    fn link(&self, dataset: &Path) -> Result<PathBuf, StudyError>;

    /// What the names of another program's masks begin with, and those of the scans in the dataset.
    fn names(&self) -> Vec<(String, String)>;

    /// Links another program's masks to a folder, under the names of the scans: of each one image whose name begins with
    /// the scan's, in `masks` or in a folder of the scan in it.
    ///
    /// # Errors
    /// A scan without a mask or with several; files that cannot be written.
    fn link_others(&self, masks: &Path, folder: &Path) -> Result<(), StudyError> {
        let there = listed(masks)?;
        for (published, scan) in self.names() {
            let own = masks.join(&published);
            let files = if own.is_dir() { listed(&own)? } else { there.clone() };
            let is_own = |path: &&PathBuf| {
                let rest =
                    name_of(path).and_then(|name| Some(name.strip_prefix(&published)?.to_owned()));
                rest.is_some_and(|rest| {
                    rest.starts_with(['_', '.', '-'])
                        && (rest.ends_with(".nii.gz") || rest.ends_with(".nii"))
                })
            };
            let found: Vec<&PathBuf> = files.iter().filter(is_own).collect();
            let [mask] = found[..] else {
                let reason = format!(
                    "{} masks of {published} here; give a folder with one image a case, called {published}….nii.gz",
                    if found.is_empty() { "no".to_owned() } else { found.len().to_string() }
                );
                return Err(StudyError::Table { path: masks.to_owned(), reason });
            };
            let ending =
                if mask.extension().is_some_and(|end| end == "gz") { "nii.gz" } else { "nii" };
            link(mask, &folder.join(format!("{scan}_seg-lesions_dseg.{ending}")))?;
        }
        Ok(())
    }
}

/// Begins a dataset and its truth; the folder of the truth.
fn begin(dataset: &Path, name: &str) -> Result<PathBuf, StudyError> {
    let truth = dataset.join("derivatives/truth");
    create(&truth)?;
    let description = json!({ "Name": name, "BIDSVersion": "1.10.0", "DatasetType": "raw" });
    write_json(&dataset.join("dataset_description.json"), &description)?;
    bids::write_dataset_description(&truth)?;
    Ok(truth)
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
    atomic::link(&whole, place)
        .map_err(|source| StudyError::Write { path: place.to_owned(), source })
}
