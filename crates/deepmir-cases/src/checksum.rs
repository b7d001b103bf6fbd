//! Checksums of files.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::CaseError;

/// The SHA-256 of a file's content, in hexadecimal.
///
/// # Errors
/// If it cannot be read.
pub fn sha256(path: &Path) -> Result<String, CaseError> {
    let fault = |source| CaseError::Read { path: path.to_owned(), source };
    let mut file = std::fs::File::open(path).map_err(fault)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = std::io::Read::read(&mut file, &mut buffer).map_err(fault)?;
        if count == 0 {
            break;
        }
        digest.update(&buffer[..count]);
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
