//! What became of each scan, on disk: a scan that is there whole, made from the same files with the same model,
//! settings and code, is not done again.

use std::path::{Path, PathBuf};

use deepmir_cases::bids;
use serde::{Deserialize, Serialize};

use super::detect::ScanRows;
use super::scans::InputFile;
use crate::StudyError;
use crate::qualify::rows;

/// Below the folder of results.
const FOLDER: &str = "scans";

/// Written last: says that the tables of a scan are there and what they were made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Of model, settings, code and files.
    pub key: String,
    /// The files.
    pub inputs: Vec<InputFile>,
    /// What was noticed.
    pub warnings: Vec<String>,
    /// Sets of inputs that the scan lacks.
    pub lacks: Vec<String>,
}

/// The stored rows of one scan.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    folder: PathBuf,
    scan: String,
}

impl Stored {
    /// Those of a scan below a folder of results; `part` keeps implanted and untouched scans apart.
    pub(crate) fn of(out: &Path, part: &str, scan: &str) -> Self {
        Self { folder: out.join(FOLDER).join(part), scan: scan.to_owned() }
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}_{ending}", self.scan))
    }

    /// What was stored last; `None` without, and of files that are damaged.
    pub(crate) fn record(&self) -> Option<Record> {
        serde_json::from_slice(&std::fs::read(self.path("record.json")).ok()?).ok()
    }

    /// The rows of a record.
    ///
    /// # Errors
    /// Tables that are not there or are none.
    pub(crate) fn read(&self) -> Result<ScanRows, StudyError> {
        let implants = rows::read(&self.path("implants.tsv"))?;
        Ok(ScanRows { implants, calls: rows::read(&self.path("calls.tsv"))? })
    }

    /// Writes rows, and then the record.
    ///
    /// # Errors
    /// A folder that cannot be written to, or a full disk.
    pub(crate) fn write(&self, found: &ScanRows, record: &Record) -> Result<(), StudyError> {
        std::fs::create_dir_all(&self.folder)
            .map_err(|source| StudyError::Write { path: self.folder.clone(), source })?;
        let path = self.path("record.json");
        match std::fs::remove_file(&path) {
            // The tables that it speaks of are about to go.
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StudyError::Write { path, source });
            }
            _ => {}
        }
        rows::write(&self.path("implants.tsv"), &found.implants)?;
        rows::write(&self.path("calls.tsv"), &found.calls)?;
        Ok(bids::write_json(&path, record)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qualify::rows::tests::implant;

    #[test]
    fn a_scan_is_there_once_its_record_is() {
        let folder = tempfile::tempdir().unwrap();
        let stored = Stored::of(folder.path(), "implanted", "sub-01");
        assert_eq!(stored.record(), None);
        let found = ScanRows { implants: vec![implant("sub-01", 1, 2.0, true)], calls: Vec::new() };
        let record = Record {
            key: "a".to_owned(),
            inputs: Vec::new(),
            warnings: Vec::new(),
            lacks: vec!["SWI+QSM".to_owned()],
        };
        stored.write(&found, &record).unwrap();
        assert_eq!(stored.record().as_ref(), Some(&record));
        assert_eq!(stored.read().unwrap(), found);
        std::fs::write(stored.path("record.json"), "{").unwrap();
        assert_eq!(stored.record(), None);
    }
}
