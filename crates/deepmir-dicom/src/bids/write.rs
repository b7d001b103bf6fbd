//! Files of the dataset. A subject is there whole or not at all: its folder is filled under another name.

use std::io;
use std::path::{Path, PathBuf};

use deepmir_cases::bids::{write_json, write_text};
use deepmir_cases::outputs::check_own_dataset;
use deepmir_volume::{Volume, nifti};
use serde_json::json;

use super::names::{Item, Names};
use super::sidecar::sidecar;
use super::values::volume;
use crate::DicomError;
use crate::header::Part;
use crate::input::Input;
use crate::sort::{Stack, Taken};

/// As `GeneratedBy` has it.
const GENERATOR: &str = "deepmir import";
/// What begins the name of a folder that is being filled.
const PARTIAL: &str = ".partial-sub-";

/// A dataset that images are written to.
pub struct Dataset {
    folder: PathBuf,
}

impl Dataset {
    /// Checks that a folder is empty or was written by this program, and that no subject of `labels` is in it; writes
    /// nothing.
    ///
    /// # Errors
    /// If it holds another dataset, or one of the subjects.
    pub fn check(folder: &Path, labels: &[&str]) -> Result<Self, DicomError> {
        check_own_dataset(folder, GENERATOR)?;
        for label in labels {
            let path = folder.join(format!("sub-{label}"));
            if path.symlink_metadata().is_ok() {
                return Err(DicomError::SubjectExists { label: (*label).to_owned(), path });
            }
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// Writes what stands around the subjects, and removes what an interrupted import left.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn begin(&self) -> Result<(), DicomError> {
        make(&self.folder)?;
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
                remove(&entry.path())?;
            }
        }
        let description = self.folder.join("dataset_description.json");
        if !description.exists() {
            write_json(
                &description,
                &json!({
                    "Name": "Images converted from DICOM",
                    "BIDSVersion": "1.10.0",
                    "DatasetType": "raw",
                    "GeneratedBy": [{ "Name": GENERATOR, "Version": env!("CARGO_PKG_VERSION") }],
                }),
            )?;
        }
        write_text(&self.folder.join(".bidsignore"), "**/*_desc-import.tsv\n")?;
        Ok(write_text(
            &self.folder.join("README"),
            "Images converted from DICOM by deepmir import.\n\n\
             sub-*/sub-*_desc-import.tsv tells for every series what it was taken for, and why.\n\
             Names, identifiers, dates of birth and UIDs of the source are not in this dataset.\n",
        )?)
    }

    /// A folder to fill with a subject's files.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn subject(&self, label: &str) -> Result<Subject, DicomError> {
        let partial = self.folder.join(format!("{PARTIAL}{label}"));
        remove(&partial)?;
        make(&partial)?;
        let whole = self.folder.join(format!("sub-{label}"));
        Ok(Subject { partial, whole, label: label.to_owned() })
    }

    /// Adds subjects to the list of participants.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn add_participants(&self, labels: &[&str]) -> Result<(), DicomError> {
        let path = self.folder.join("participants.tsv");
        let mut rows: Vec<String> = match std::fs::read_to_string(&path) {
            Ok(text) => text.lines().skip(1).map(str::to_owned).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(DicomError::Read { path, source }),
        };
        rows.extend(labels.iter().map(|label| format!("sub-{label}")));
        rows.sort();
        rows.dedup();
        Ok(write_text(&path, &format!("participant_id\n{}\n", rows.join("\n")))?)
    }
}

/// A subject whose files are being written.
pub struct Subject {
    partial: PathBuf,
    whole: PathBuf,
    label: String,
}

impl Subject {
    /// Reads the voxels of a volume and writes them with their sidecar; returns the image's name.
    ///
    /// # Errors
    /// If the source cannot be read, or a file cannot be written.
    pub fn write(
        &self,
        item: &Item,
        stack: &Stack,
        files: &[Input],
        keep_dates: bool,
    ) -> Result<(), DicomError> {
        let Some(names) = Names::of(item) else { return Ok(()) };
        let folder = self.partial.join(&names.folder);
        let mut voxels = volume(stack, files)?;
        if let Taken::Qsm(factor) = item.decision.taken {
            voxels.data_mut().iter_mut().for_each(|value| *value *= factor as f32);
        }
        make(&folder)?;
        let path = folder.join(format!("{}.nii.gz", names.stem));
        write_voxels(&path, &voxels, &item.decision.taken)?;
        let sidecar = sidecar(stack, &item.decision.taken, keep_dates);
        Ok(write_json(&folder.join(format!("{}.json", names.stem)), &sidecar)?)
    }

    /// Writes the table of what was taken for what, and gives the folder its name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(self, table: &str) -> Result<(), DicomError> {
        write_text(&self.partial.join(format!("sub-{}_desc-import.tsv", self.label)), table)?;
        std::fs::rename(&self.partial, &self.whole)
            .map_err(|source| DicomError::Write { path: self.whole, source })
    }

    /// Removes what was written.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn abandon(self) -> Result<(), DicomError> {
        remove(&self.partial)
    }
}

/// Whole numbers in 16 bits where they fit, which is exact; phase with a slope; else 32-bit floats.
fn write_voxels(path: &Path, voxels: &Volume<f32>, taken: &Taken) -> Result<(), DicomError> {
    if let Taken::Echo(_, Part::Phase) = taken {
        return Ok(nifti::write_scaled_signed(path, voxels, std::f32::consts::PI, None)?);
    }
    let within = |least: f32, most: f32| {
        voxels.data().iter().all(|&value| value >= least && value <= most && value.fract() == 0.0)
    };
    if within(0.0, 65535.0) {
        nifti::write(path, &voxels.map(|&value| value as u16), None)?;
    } else if within(-32768.0, 32767.0) {
        nifti::write(path, &voxels.map(|&value| value as i16), None)?;
    } else {
        nifti::write(path, voxels, None)?;
    }
    Ok(())
}

fn make(folder: &Path) -> Result<(), DicomError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| DicomError::Write { path: folder.to_owned(), source })
}

fn remove(folder: &Path) -> Result<(), DicomError> {
    match std::fs::remove_dir_all(folder) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(DicomError::Write { path: folder.to_owned(), source })
        }
        _ => Ok(()),
    }
}
