//! Checksums of the files that a study depends on, stored as long as the files do not change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::StudyError;
use deepmir_cases::bids;
use deepmir_cases::sha256;

/// SHA-256 by path.
#[derive(Debug, Default)]
pub(crate) struct Checksums(BTreeMap<PathBuf, Known>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    bytes: u64,
    modified_ns: u128,
    sha256: String,
}

impl Checksums {
    /// Of some files; those that `remembered` knows with the same size and time are not read again.
    pub(crate) fn of(
        files: impl Iterator<Item = PathBuf>,
        remembered: &Path,
    ) -> Result<Self, StudyError> {
        // A file that cannot be understood is as good as none: everything is read again.
        let known: BTreeMap<PathBuf, Known> = std::fs::read_to_string(remembered)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let mut files: Vec<PathBuf> = files.collect();
        files.sort();
        files.dedup();
        let checked: Vec<(PathBuf, Known)> = files
            .into_par_iter()
            .map(|path| {
                let read = |source| StudyError::Read { path: path.clone(), source };
                let metadata = std::fs::metadata(&path).map_err(read)?;
                let modified = metadata.modified().map_err(read)?;
                let modified_ns =
                    modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
                let bytes = metadata.len();
                let same = known
                    .get(&path)
                    .filter(|old| (old.bytes, old.modified_ns) == (bytes, modified_ns));
                let sha256 = match same {
                    Some(old) => old.sha256.clone(),
                    None => sha256(&path)?,
                };
                Ok((path, Known { bytes, modified_ns, sha256 }))
            })
            .collect::<Result<_, StudyError>>()?;
        Ok(Self(checked.into_iter().collect()))
    }

    /// Without what is remembered of the files.
    pub(crate) fn known(&self) -> deepmir_cases::Checksums {
        self.0.iter().map(|(path, known)| (path.clone(), known.sha256.clone())).collect()
    }

    /// Stores them.
    pub(crate) fn write(&self, path: &Path) -> Result<(), StudyError> {
        Ok(bids::write_json(path, &self.0)?)
    }

    /// A file's checksum; empty for a file that is not in the study.
    pub(crate) fn get(&self, path: &Path) -> &str {
        self.0.get(path).map_or("", |known| known.sha256.as_str())
    }
}
