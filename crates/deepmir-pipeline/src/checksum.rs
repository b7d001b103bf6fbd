//! Checksums of files.

use std::path::Path;

use crate::PipelineError;

/// The SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// If it cannot be read.
pub fn sha256(path: &Path) -> Result<String, PipelineError> {
    Ok(deepmir_cases::sha256(path)?)
}
