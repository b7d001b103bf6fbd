//! The settings of a training, stored in its folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::Value;

use super::TrainingConfig;
use super::files::changed;
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
    /// Settings of the synthetic subjects.
    #[serde(default)]
    pub synthetic_settings: String,
    /// SHA-256 of the initial weights, where they were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_weights: Option<String>,
    /// Whether NaN and infinite voxels are read as zero.
    #[serde(default)]
    pub nan_to_zero: bool,
    /// Hyperparameters.
    pub config: TrainingConfig,
    /// The network.
    pub architecture: Architecture,
    /// From images to input.
    pub plan: Plan,
    /// SHA-256 of each subject's files: by subject, then by what the file is.
    #[serde(default)]
    pub files: BTreeMap<String, BTreeMap<String, String>>,
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
                Err(error) => {
                    let reason = format!(
                        "the settings of the training here cannot be read ({}); give another folder, or delete this one \
                         to begin anew",
                        error.to_string().trim_end()
                    );
                    Err(NetError::Checkpoint { path, reason })
                }
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(NetError::Read { path, source }),
        }
    }

    /// Why a training with these settings cannot go on with others; `None` if it can.
    pub(super) fn refusal(&self, now: &Self) -> Option<String> {
        let without_files = |settings: &Self| Self {
            program: String::new(),
            files: BTreeMap::new(),
            ..settings.clone()
        };
        let differences = without_files(self).differences(&without_files(now));
        if !differences.is_empty() {
            let subjects = match differences.iter().any(|name| name.contains("subjects")) {
                true => self.other_subjects(now),
                false => String::new(),
            };
            return Some(format!(
                "a training with other settings was started here ({}){subjects}; give another folder, or the \
                 settings in this file",
                differences.join(", ")
            ));
        }
        let anew = "begin anew in another folder (or delete this one)";
        if self.files.is_empty() && !now.files.is_empty() {
            return Some(format!(
                "the training was begun by a deepmir that did not note which files it read, so nobody knows whether they \
                 are the same; {anew}"
            ));
        }
        let changed = changed(&self.files, &now.files);
        (!changed.is_empty()).then(|| {
            format!(
                "the files are others than those that this training began with ({}), and it cannot be resumed with \
                 them; bring the old ones back, or {anew}",
                changed.join(", ")
            )
        })
    }

    /// Who takes part now and did not before, or the reverse.
    fn other_subjects(&self, now: &Self) -> String {
        let all = |of: &Self| -> BTreeSet<String> {
            let lists = [&of.training_subjects, &of.extra_training, &of.validation_subjects];
            lists.into_iter().flatten().cloned().collect()
        };
        let (before, now) = (all(self), all(now));
        let list = |names: Vec<&String>, what: &str| match names.first() {
            Some(first) if names.len() == 1 => format!(": {first} {what}"),
            Some(first) => format!(": {first} and {} others {what}", names.len() - 1),
            None => String::new(),
        };
        list(now.difference(&before).collect(), "was not among its subjects")
            + &list(before.difference(&now).collect(), "is missing now")
    }

    /// Names of the settings that differ, as in the file: `config.steps`.
    fn differences(&self, other: &Self) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset;

    fn settings() -> SavedSettings {
        let preset = preset::deepmir();
        let sums = |sum: &str| BTreeMap::from([("truth".to_owned(), sum.to_owned())]);
        SavedSettings {
            program: "deepmir".to_owned(),
            name: "m".to_owned(),
            training_subjects: vec!["a".to_owned()],
            extra_training: Vec::new(),
            validation_subjects: vec!["b".to_owned()],
            synthetic_subjects: 0,
            synthetic_settings: String::new(),
            initial_weights: None,
            nan_to_zero: false,
            config: preset.training,
            architecture: preset.architecture,
            plan: preset.plan,
            files: BTreeMap::from([("a".to_owned(), sums("1")), ("b".to_owned(), sums("2"))]),
        }
    }

    #[test]
    fn a_training_is_not_resumed_with_other_files_or_settings() {
        let (saved, mut now) = (settings(), settings());
        now.program = "a later deepmir".to_owned();
        assert_eq!(saved.refusal(&now), None);
        now.files.get_mut("b").unwrap().insert("truth".to_owned(), "3".to_owned());
        let told = saved.refusal(&now).unwrap();
        assert!(told.contains("(truth of b)") && told.contains("begin anew"), "{told}");
        now = settings();
        now.files.get_mut("a").unwrap().insert("mask".to_owned(), "3".to_owned());
        assert!(saved.refusal(&now).unwrap().contains("(mask of a)"));
        now = settings();
        now.training_subjects.push("c".to_owned());
        let told = saved.refusal(&now).unwrap();
        assert!(told.contains("(training_subjects): c was not among"), "{told}");
        now = settings();
        now.initial_weights = Some("4".to_owned());
        assert!(saved.refusal(&now).unwrap().contains("initial_weights"));
        let old = SavedSettings { files: BTreeMap::new(), ..settings() };
        assert!(old.refusal(&settings()).unwrap().contains("did not note"));
    }

    #[test]
    fn settings_come_back_from_their_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(SETTINGS), toml::to_string(&settings()).unwrap())
            .unwrap();
        assert_eq!(SavedSettings::read(folder.path()).unwrap(), Some(settings()));
        std::fs::write(folder.path().join(SETTINGS), "program = [").unwrap();
        let told = SavedSettings::read(folder.path()).unwrap_err().to_string();
        assert!(told.contains("begin anew") && told.ends_with(SETTINGS), "{told}");
    }
}
