//! A study's settings, from its TOML file.

use std::path::{Path, PathBuf};

use deepmir_cases::Groups;
use deepmir_lesion::LesionClass;
use deepmir_lesion::matching::MatchRule;
use deepmir_lesion::metrics::Bootstrap;
use deepmir_volume::components::Connectivity;
use serde::Deserialize;

use crate::StudyError;
use crate::evaluate::EvaluationOptions;
use crate::plan::factors::{Factors, repeated};

/// A study's settings. Paths are relative to the file's folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyConfig {
    /// The title of its page; the file's name by default.
    pub name: Option<String>,
    /// Datasets or tables that together are the cohort.
    pub data: Vec<PathBuf>,
    /// Folder of the label maps, where a dataset has more than one.
    pub labels: Option<PathBuf>,
    /// Other datasets, for training only, in every cell.
    #[serde(default)]
    pub extra_train: Vec<PathBuf>,
    /// Only these subjects.
    #[serde(default)]
    pub subjects: Vec<String>,
    /// Not these.
    #[serde(default)]
    pub held_out: Vec<String>,
    /// A table of subjects that share an anatomy: `participant_id` and `group`.
    pub groups: Option<PathBuf>,
    /// What becomes of a subject without an image that some arm needs.
    #[serde(default)]
    pub incomplete: Incomplete,
    /// Sets of modalities, such as `"SWI+QSM"`; `"all"` are the seven there can be.
    #[serde(default)]
    pub inputs: Factors,
    /// Sets of classes, such as `"CMB+NHID"`; `"all"` are the three there can be.
    #[serde(default)]
    pub classes: Factors,
    /// Seeds of the trainings.
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
    /// Read NaN and infinite voxels as zero.
    #[serde(default)]
    pub nan_to_zero: bool,
    /// Who is held out when.
    #[serde(default)]
    pub split: SplitSettings,
    /// How predictions are compared with the truth.
    #[serde(default)]
    pub evaluation: EvaluationSettings,
    /// Networks; the `deepmir` preset alone without.
    #[serde(default)]
    pub variants: Vec<Variant>,
    /// Changes to every variant's plan.
    #[serde(default)]
    pub plan: toml::Table,
    /// Changes to every variant's network.
    #[serde(default)]
    pub architecture: toml::Table,
    /// Changes to every variant's training: the budget.
    #[serde(default)]
    pub training: toml::Table,
}

/// What becomes of a subject without an image that some arm needs: the same for every arm, so that
/// they stay comparable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Incomplete {
    /// It is an error that names the subject.
    #[default]
    Refuse,
    /// It is left out of the whole study, with a note on the page.
    LeaveOut,
}

/// Who is held out when.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitSettings {
    /// How.
    pub method: SplitMethod,
    /// Folds.
    pub folds: usize,
    /// How many times every subject is held out once, in new folds.
    pub repeats: usize,
    /// Seed of the folds and of the inner validation subjects.
    pub seed: u64,
    /// Share of the training side that weights and thresholds are chosen on.
    pub validation_share: f64,
    /// Subjects held out by a fixed split.
    pub test: Vec<String>,
}

/// A way of holding subjects out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitMethod {
    /// In folds.
    #[default]
    Folds,
    /// Each alone.
    LeaveOneOut,
    /// Those named `test`, once.
    Fixed,
}

impl Default for SplitSettings {
    fn default() -> Self {
        Self {
            method: SplitMethod::Folds,
            folds: 5,
            repeats: 1,
            seed: 1,
            validation_share: 0.2,
            test: Vec::new(),
        }
    }
}

/// How predictions are compared with the truth.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationSettings {
    /// When a predicted lesion is a true one: `overlap`, `centre:MM`, `iou:T`.
    #[serde(rename = "match")]
    pub rule: String,
    /// Lesions smaller than this count on neither side.
    pub min_volume_mm3: f64,
    /// Voxels whose probability of any lesion reaches this make up the candidates of FROC curves.
    pub froc_threshold: f32,
    /// Resamples of each interval.
    pub resamples: usize,
    /// Their seed.
    pub seed: u64,
}

impl Default for EvaluationSettings {
    fn default() -> Self {
        let Bootstrap { resamples, seed } = Bootstrap::default();
        Self {
            rule: MatchRule::Overlap.to_string(),
            min_volume_mm3: 0.0,
            froc_threshold: 0.3,
            resamples,
            seed,
        }
    }
}

/// A network and its training: a preset and what is changed of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// A word for tables.
    pub name: String,
    /// The preset; the name without.
    pub preset: Option<String>,
    /// Sets of modalities, in place of the study's.
    #[serde(default)]
    pub inputs: Factors,
    /// Sets of classes, in place of the study's.
    #[serde(default)]
    pub classes: Factors,
    /// Predict over mirror images too.
    #[serde(default)]
    pub flips: bool,
    /// Changes to the plan.
    #[serde(default)]
    pub plan: toml::Table,
    /// Changes to the network.
    #[serde(default)]
    pub architecture: toml::Table,
    /// Changes to the training.
    #[serde(default)]
    pub training: toml::Table,
}

fn one_seed() -> Vec<u64> {
    vec![1]
}

impl StudyConfig {
    /// Reads a file; its relative paths become those seen from here.
    ///
    /// # Errors
    /// If it cannot be read, or holds what no study has.
    pub fn read(path: &Path) -> Result<Self, StudyError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| StudyError::Read { path: path.to_owned(), source })?;
        let fault = |reason: String| StudyError::Experiment { path: path.to_owned(), reason };
        let mut config: Self = toml::from_str(&text).map_err(|error| fault(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let paths = config.data.iter_mut().chain(&mut config.extra_train);
        paths.chain(&mut config.labels).chain(&mut config.groups).for_each(|path| {
            *path = folder.join(&*path);
        });
        if config.variants.is_empty() {
            config.variants = vec![Variant::preset("deepmir")];
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        config.name.get_or_insert(stem);
        config.validate().map_err(fault)?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), String> {
        if self.data.is_empty() {
            return Err("data must name a BIDS dataset or table".to_owned());
        }
        if self.labels.is_some() && self.data.len() > 1 {
            return Err("labels is for a single dataset; leave it out, or give one".to_owned());
        }
        if self.seeds.is_empty() || repeated(&self.seeds) {
            return Err("seeds must be one or more different numbers".to_owned());
        }
        let names: Vec<&String> = self.variants.iter().map(|variant| &variant.name).collect();
        if repeated(&names) {
            return Err("every variant needs a name of its own".to_owned());
        }
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-.".contains(letter);
        if let Some(name) = names.iter().find(|name| name.is_empty() || !name.chars().all(plain)) {
            return Err(format!(
                "{name:?} cannot name a variant; give letters, digits, dots and dashes"
            ));
        }
        let share = self.split.validation_share;
        if !(share > 0.0 && share < 1.0) {
            return Err(format!("validation_share {share} must lie between 0 and 1"));
        }
        if self.split.repeats == 0 {
            return Err("repeats must be at least 1".to_owned());
        }
        if (self.split.method == SplitMethod::Fixed) == self.split.test.is_empty() {
            return Err("name the subjects of a fixed split in test, and only those".to_owned());
        }
        if !(0.0..=1.0).contains(&self.evaluation.froc_threshold) {
            return Err("froc_threshold must lie between 0 and 1".to_owned());
        }
        if self.evaluation.resamples == 0 {
            return Err("resamples must be at least 1".to_owned());
        }
        self.evaluation.rule.parse::<MatchRule>().map(|_| ())
    }

    /// How predictions are compared, for the functions that do it.
    pub fn evaluation_options(&self) -> EvaluationOptions {
        EvaluationOptions {
            // Checked when it was read.
            rule: self.evaluation.rule.parse().unwrap_or(MatchRule::Overlap),
            connectivity: Connectivity::TwentySix,
            min_volume_mm3: self.evaluation.min_volume_mm3,
            classes: LesionClass::ALL.to_vec(),
            froc_threshold: self.evaluation.froc_threshold,
            bootstrap: Bootstrap {
                resamples: self.evaluation.resamples,
                seed: self.evaluation.seed,
            },
            groups: Groups::default(),
        }
    }
}

impl Variant {
    fn preset(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            preset: None,
            inputs: Factors::Usual,
            classes: Factors::Usual,
            flips: false,
            plan: toml::Table::new(),
            architecture: toml::Table::new(),
            training: toml::Table::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_a_file_name_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inputs.toml");
        let message = |text: &str| {
            std::fs::write(&path, text).unwrap();
            StudyConfig::read(&path).unwrap_err().to_string()
        };
        for (text, words) in [
            ("data = []\n", "BIDS dataset"),
            ("data = [\"x\"]\nseeds = [1, 1]\n", "different numbers"),
            ("data = [\"x\"]\nfolds = 3\n", "folds"),
            ("data = [\"x\"]\n[split]\nmethod = \"fixed\"\n", "test"),
            ("data = [\"x\"]\n[evaluation]\nmatch = \"dice\"\n", "overlap, centre:MM"),
            ("data = [\"x\"]\n[[variants]]\nname = \"a b\"\n", "a b"),
        ] {
            let error = message(text);
            assert!(error.contains(words) && error.contains("inputs.toml"), "{error}");
        }
        std::fs::write(&path, "data = [\"x\"]\n").unwrap();
        let config = StudyConfig::read(&path).unwrap();
        assert_eq!(config.data, [folder.path().join("x")]);
        assert_eq!((config.name.as_deref(), config.seeds), (Some("inputs"), vec![1]));
    }
}
