//! Small text files.

use std::path::Path;

use deepmir_volume::atomic;
use serde::Serialize;

use crate::PhantomError;

/// Writes indented JSON.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), PhantomError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| PhantomError::Write { path: path.to_owned(), source: error.into() })?;
    write_text(path, &(text + "\n"))
}

pub(super) fn write_text(path: &Path, text: &str) -> Result<(), PhantomError> {
    atomic::write(path, text.as_bytes())
        .map_err(|source| PhantomError::Write { path: path.to_owned(), source })
}
