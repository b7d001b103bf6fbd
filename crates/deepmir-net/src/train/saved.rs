//! The settings of a training, stored in its folder.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::Value;

use super::TrainingConfig;
use crate::{Architecture, NetError, Plan};

/// The file in a training's folder.
pub(super) const SETTINGS: &str = "training.toml";

/// The settings that the training in a folder was started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSettings {
    /// Name and version of the program.
    pub program: String,
    /// The model's name.
    pub name: String,
    /// Training subjects.
    pub training_subjects: Vec<String>,
    /// Extra training data.
    #[serde(default)]
    pub extra_training: Vec<String>,
    /// Validation subjects.
    pub validation_subjects: Vec<String>,
    /// Number of synthetic subjects that join during the training.
    #[serde(default)]
    pub synthetic_subjects: usize,
    /// Hyperparameters.
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

    /// Names of the settings that differ, as in the file: `config.steps`.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        fn compare(name: &str, a: Option<&Value>, b: Option<&Value>, found: &mut Vec<String>) {
            if let (Some(Value::Table(a)), Some(Value::Table(b))) = (a, b) {
                for key in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                    let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                    compare(&name, a.get(key), b.get(key), found);
                }
            } else if a != b {
                found.push(name.to_owned());
            }
        }
        let mut found = Vec::new();
        let table =
            |settings: &Self| toml::to_string(settings).ok()?.parse().ok().map(Value::Table);
        compare("", table(self).as_ref(), table(other).as_ref(), &mut found);
        found
    }
}
