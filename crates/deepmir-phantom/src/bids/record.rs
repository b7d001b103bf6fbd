//! How a session was made.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::PhantomError;
use crate::config::PhantomConfig;
use crate::subject::Anatomy;

/// What is written last beside a session's truth: all that its images depend on. A session with a
/// record is finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this crate.
    pub version: String,
    /// The subject's seed.
    pub seed: u64,
    /// The session, from 0.
    pub session: usize,
    /// Where the head comes from.
    pub anatomy: Anatomy,
    /// The settings.
    pub config: PhantomConfig,
    /// Age at the session in years.
    pub age_years: f64,
    /// The numbers drawn for the session.
    #[serde(default)]
    pub drawn: serde_json::Value,
}

impl Record {
    /// The echo time of the echo that SWI is made of.
    pub fn swi_echo_time_s(&self) -> f64 {
        let scan = &self.config.scan;
        let swi = &self.config.output.reconstruction.swi;
        let echo = swi.echo_of(&scan.echo_times_s, scan.field_strength_t);
        scan.echo_times_s[echo]
    }

    /// Reads a record; `None` if there is none.
    ///
    /// # Errors
    /// If there is one that cannot be read or was written by another version.
    pub fn read(path: &Path) -> Result<Option<Self>, PhantomError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(PhantomError::Read { path: path.to_owned(), source }),
        };
        match serde_json::from_str(&text) {
            Ok(record) => Ok(Some(record)),
            Err(_) => Err(PhantomError::OtherSettings { path: path.to_owned() }),
        }
    }

    /// Whether another record was made the same way.
    pub fn same_making(&self, other: &Self) -> bool {
        self.version == other.version
            && self.seed == other.seed
            && self.session == other.session
            && self.anatomy == other.anatomy
            && self.config == other.config
    }
}
