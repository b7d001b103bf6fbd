//! Warnings for Python.

use deepmir_volume::Warning;

/// Code and sentence of each.
pub fn pairs<'a>(warnings: impl IntoIterator<Item = &'a Warning>) -> Vec<(String, String)> {
    warnings.into_iter().map(|warning| (warning.code.clone(), warning.message.clone())).collect()
}
