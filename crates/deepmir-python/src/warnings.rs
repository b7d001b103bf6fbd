//! Warnings for Python.

use deepmir_volume::Warning;

/// Code and sentence of each.
pub fn pairs(warnings: &[Warning]) -> Vec<(String, String)> {
    warnings.iter().map(|warning| (warning.code.clone(), warning.message.clone())).collect()
}
