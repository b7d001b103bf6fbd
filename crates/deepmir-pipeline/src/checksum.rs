//! Checksums of files.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::PipelineError;

/// The SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// If it cannot be read.
pub fn sha256(path: &Path) -> Result<String, PipelineError> {
    let bytes = std::fs::read(path)
        .map_err(|source| PipelineError::Read { path: path.to_owned(), source })?;
    Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}
