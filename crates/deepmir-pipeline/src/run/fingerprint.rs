//! What a stage depends on, as one checksum: its settings and the contents of its inputs.

use deepmir_cases::sha256;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{CODE, PipelineError};

/// An input as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was last changed, nanoseconds after (or before) 1970.
    pub modified_ns: i64,
    /// SHA-256 of its contents.
    pub sha256: String,
}

/// Checksums of files. A file whose size and time of change are those that `known` has is not read
/// again, unless `reread` is set: thousands of scans are checked in seconds.
pub fn inputs(
    paths: &[PathBuf],
    known: &[InputFile],
    reread: bool,
) -> Result<Vec<InputFile>, PipelineError> {
    paths.iter().map(|path| input(path, known, reread)).collect()
}

fn input(path: &Path, known: &[InputFile], reread: bool) -> Result<InputFile, PipelineError> {
    let fault = |source| PipelineError::Read { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(fault)?;
    let modified = metadata.modified().map_err(fault)?;
    let modified_ns = match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i64,
        Err(before) => -(before.duration().as_nanos() as i64),
    };
    let bytes = metadata.len();
    let same = |other: &&InputFile| {
        other.path == path && other.bytes == bytes && other.modified_ns == modified_ns
    };
    if !reread && let Some(before) = known.iter().find(same) {
        return Ok(before.clone());
    }
    Ok(InputFile { path: path.to_owned(), bytes, modified_ns, sha256: sha256(path)? })
}

/// The checksum of a stage: this program's version and sources ([`CODE`]), the stage's name, its settings,
/// and the contents of its inputs (not their folders).
pub fn key(stage: &str, settings: &impl Serialize, inputs: &[InputFile]) -> String {
    // Settings are plain numbers and names, which always print.
    let settings = serde_json::to_string(settings).unwrap_or_default();
    let mut hash = Sha256::new();
    for part in [env!("CARGO_PKG_VERSION"), CODE, stage, settings.as_str()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    for input in inputs {
        // Names carry roles: the same image as SWI and as T2w is not the same input.
        let name = input.path.file_name().unwrap_or_default().to_string_lossy();
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(input.sha256.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_changed_file_setting_or_role_changes_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&a, b"one").unwrap();
        fs::write(&b, b"one").unwrap();
        let before = inputs(std::slice::from_ref(&a), &[], false).unwrap();
        let other = inputs(&[b], &[], false).unwrap();
        let first = key("stage", &1, &before);
        assert_eq!(first, key("stage", &1, &before));
        assert_ne!(first, key("stage", &2, &before));
        assert_ne!(first, key("other", &1, &before));
        assert_ne!(first, key("stage", &1, &other));
        fs::write(&a, b"two!").unwrap();
        let after = inputs(std::slice::from_ref(&a), &before, false).unwrap();
        assert_ne!(first, key("stage", &1, &after));
    }

    #[test]
    fn an_untouched_file_is_not_read_again_unless_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, b"one").unwrap();
        let mut known = inputs(std::slice::from_ref(&path), &[], false).unwrap();
        known[0].sha256 = "remembered".to_owned();
        let paths = [path];
        assert_eq!(inputs(&paths, &known, false).unwrap()[0].sha256, "remembered");
        assert_ne!(inputs(&paths, &known, true).unwrap()[0].sha256, "remembered");
    }
}
