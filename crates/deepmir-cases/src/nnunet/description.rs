//! `dataset.json`.

use std::path::Path;

use serde_json::Value;

use crate::CaseError;

/// What describes a data set; prediction copies it.
pub(super) const FILE: &str = "dataset.json";

/// Its content.
pub(super) fn read(path: &Path) -> Result<Value, CaseError> {
    let bytes =
        std::fs::read(path).map_err(|source| CaseError::Read { path: path.to_owned(), source })?;
    serde_json::from_slice(&bytes).map_err(|error| CaseError::Nnunet {
        path: path.to_owned(),
        reason: format!("no JSON ({error}); copy it again"),
    })
}
