//! What a training was begun with.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::TrainingConfig;
use crate::{Architecture, NetError, Plan};

/// The file in a training's folder.
pub(super) const SETTINGS: &str = "training.toml";

/// The settings that a training in a folder was begun with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSettings {
    /// The program.
    pub program: String,
    /// The model's name.
    pub name: String,
    /// Subjects to learn from.
    pub training_subjects: Vec<String>,
    /// Companions.
    #[serde(default)]
    pub companions: Vec<String>,
    /// Subjects to validate on.
    pub validation_subjects: Vec<String>,
    /// How many subjects join while training.
    #[serde(default)]
    pub fresh_subjects: usize,
    /// How it is trained.
    pub config: TrainingConfig,
    /// The network.
    pub architecture: Architecture,
    /// From images to input.
    pub plan: Plan,
}

impl SavedSettings {
    /// The settings saved in a training's folder; `None` if it holds no training.
    ///
    /// # Errors
    /// If the file cannot be read or understood.
    pub fn read(output: &Path) -> Result<Option<Self>, NetError> {
        let path = output.join(SETTINGS);
        match std::fs::read_to_string(&path) {
            Ok(text) => match toml::from_str(&text) {
                Ok(settings) => Ok(Some(settings)),
                Err(error) => Err(NetError::Checkpoint { path, reason: error.to_string() }),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(NetError::Read { path, source }),
        }
    }

    /// Names of the settings that are not the same in others, as in the file: `config.steps`.
    pub(super) fn unlike(&self, other: &Self) -> Vec<String> {
        fn compare(name: &str, a: &toml::Value, b: &toml::Value, unlike: &mut Vec<String>) {
            let nothing = toml::Value::Boolean(false);
            let (toml::Value::Table(a), toml::Value::Table(b)) = (a, b) else {
                return if a != b {
                    unlike.push(name.to_owned())
                };
            };
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                let [a, b] = [a, b].map(|table| table.get(key).unwrap_or(&nothing));
                compare(&name, a, b, unlike);
            }
        }
        let mut unlike = Vec::new();
        if let (Ok(one), Ok(two)) = (toml::Value::try_from(self), toml::Value::try_from(other)) {
            compare("", &one, &two, &mut unlike);
        }
        unlike
    }
}
