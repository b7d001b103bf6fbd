//! What a program noticed in its input and could not settle by itself.

use serde::{Deserialize, Serialize};

/// Something about the input that the user must know: the result may be wrong because of it.
///
/// Warnings travel with what was read or made, up to the terminal, the quality sheet, the page and the tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Warning {
    /// What kind it is, in snake case: for scripts, such as `chi_range`.
    pub code: String,
    /// One sentence without a full stop: what was seen, in which file, and the remedy.
    pub message: String,
}

impl Warning {
    /// A warning of one kind.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

impl std::fmt::Display for Warning {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}
