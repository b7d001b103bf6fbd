//! Arms crossed with folds and seeds: the cells, each with the checksum of all that decides it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deepmir_cases::{CaseFiles, Modality};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::StudyError;
use crate::plan::arm::Arm;
use crate::plan::cell::Cell;
use crate::plan::checksums::Checksums;
use crate::plan::config::StudyConfig;
use crate::plan::doubts::doubts;
use crate::plan::participants::Participants;
use crate::plan::split::{Fold, split};
use deepmir_cases::bids;
use deepmir_pipeline::program;
use deepmir_volume::Warning;

/// Checksum of the sources that decide what a cell stores: those of [`deepmir_pipeline::CODE`], and this crate's `run/`
/// (from `build.rs`).
fn code() -> String {
    format!("{}-{}", deepmir_pipeline::CODE, env!("DEEPMIR_STUDY_CODE"))
}

/// A study ready to run.
#[derive(Debug)]
pub struct StudyPlan {
    /// The settings of its file.
    pub config: StudyConfig,
    /// The output folder.
    pub output: PathBuf,
    /// What is compared.
    pub arms: Vec<Arm>,
    /// Training, validation and test subjects.
    pub folds: Vec<Fold>,
    /// Arms × seeds × folds, whole comparisons first.
    pub cells: Vec<Cell>,
    pub(crate) participants: Participants,
    checksums: Checksums,
    warnings: Vec<Warning>,
}

impl StudyPlan {
    /// Reads a study's file and its cohort and lays out the cells. Nothing is written.
    ///
    /// # Errors
    /// A file, cohort or split with a fault, each by name.
    pub fn new(file: &Path, output: PathBuf) -> Result<Self, StudyError> {
        let config = StudyConfig::read(file)?;
        let arms = Arm::all(&config, file)?;
        let needed: BTreeSet<Modality> = arms.iter().flat_map(|arm| arm.inputs.clone()).collect();
        let needed: Vec<Modality> = needed.into_iter().collect();
        let participants = Participants::gather(&config, file, &needed)?;
        let folds = split(&participants, &config.split)?;
        let files =
            participants.cohort.cases.iter().chain(&participants.extra_training).flat_map(files_of);
        let checksums = Checksums::of(files, &output.join(CHECKSUMS))?;
        let warnings = doubts(&participants, &folds, &arms, &checksums.known())?;
        let cells = Vec::new();
        let mut plan =
            Self { config, output, arms, folds, cells, participants, checksums, warnings };
        plan.cells = plan.lay_out();
        Ok(plan)
    }

    /// Writes what the study is: `plan.tsv` (cells), `splits.tsv` (who is where), `study.json` (every
    /// setting). Like every file of a study they are the same whoever writes them.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write(&self) -> Result<(), StudyError> {
        std::fs::create_dir_all(&self.output)
            .map_err(|source| StudyError::Write { path: self.output.clone(), source })?;
        self.checksums.write(&self.output.join(CHECKSUMS))?;
        let mut cells = String::from("cell\tvariant\tinputs\tclasses\tfold\tseed\tfolder\n");
        for cell in &self.cells {
            let (arm, fold) = (self.arm(cell), self.fold(cell));
            cells += &format!(
                "{}\t{}\t{}\t{}\t{}\t{}\tcells/{}\n",
                cell.number,
                arm.variant,
                arm.inputs_name(),
                arm.classes_name(),
                fold.name,
                cell.seed,
                cell.hash
            );
        }
        bids::write_text(&self.output.join("plan.tsv"), &cells)?;
        let mut splits = String::from("fold\tscan\tgroup\trole\ttruth\n");
        for fold in &self.folds {
            for (role, cases) in [
                ("training", &fold.training),
                ("validation", &fold.validation),
                ("held_out", &fold.held_out),
            ] {
                for case in cases {
                    let truth = case.truth.as_deref().map_or_else(String::new, |path| {
                        std::path::absolute(path).unwrap_or(path.to_owned()).display().to_string()
                    });
                    let group = self.participants.group(&case.id);
                    splits += &format!("{}\t{}\t{group}\t{role}\t{truth}\n", fold.name, case.id);
                }
            }
        }
        bids::write_text(&self.output.join("splits.tsv"), &splits)?;
        Ok(bids::write_json(&self.output.join("study.json"), &self.settings())?)
    }

    /// Every setting, defaults and all.
    fn settings(&self) -> Value {
        let arms = self.arms.iter().map(|arm| {
            json!({
                "arm": arm.name,
                "plan": arm.preset.plan,
                "architecture": arm.preset.architecture,
                "training": arm.preset.training,
                "flips": arm.flips,
            })
        });
        let evaluation = &self.config.evaluation;
        json!({
            "name": self.config.name,
            "program": program(),
            "code": code(),
            "seeds": self.config.seeds,
            "extra_train": self.config.extra_train,
            "left_out": self.participants.left_out,
            "evaluation": {
                "match": evaluation.rule,
                "min_volume_mm3": evaluation.min_volume_mm3,
                "froc_threshold": evaluation.froc_threshold,
                "resamples": evaluation.resamples,
                "seed": evaluation.seed,
            },
            "arms": arms.collect::<Vec<_>>(),
        })
    }

    fn lay_out(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for &seed in &self.config.seeds {
            for fold in 0..self.folds.len() {
                for arm in 0..self.arms.len() {
                    let mut cell =
                        Cell { number: cells.len() + 1, arm, fold, seed, hash: String::new() };
                    cell.hash = self.hash(&cell);
                    cells.push(cell);
                }
            }
        }
        cells
    }

    /// Sixteen digits that change with anything that a cell's predictions depend on: settings, files,
    /// program.
    fn hash(&self, cell: &Cell) -> String {
        let (arm, fold) = (self.arm(cell), self.fold(cell));
        let files = |cases: &[CaseFiles], truth: bool| -> Vec<Value> {
            let one = |case: &CaseFiles| {
                let images: Vec<&str> = arm
                    .inputs
                    .iter()
                    .filter_map(|modality| case.images.get(modality))
                    .map(|path| self.checksums.get(path))
                    .collect();
                let other = |path: &Option<PathBuf>| {
                    path.as_deref().map(|path| self.checksums.get(path).to_owned())
                };
                let [known, unknown] =
                    [&case.truth, &case.unknown].map(|path| other(path).filter(|_| truth));
                json!([case.id, images, other(&case.mask), known, unknown])
            };
            cases.iter().map(one).collect()
        };
        let everything = json!({
            "code": code(),
            "plan": arm.preset.plan,
            "architecture": arm.preset.architecture,
            "training": arm.preset.training,
            "seed": cell.seed,
            "flips": arm.flips,
            "froc_threshold": self.config.evaluation.froc_threshold,
            "nan_to_zero": self.config.nan_to_zero,
            "learned_from": files(&fold.training, true),
            "chosen_on": files(&fold.validation, true),
            "held_out": files(&fold.held_out, false),
        });
        let digest = Sha256::digest(everything.to_string().as_bytes());
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// A cell's arm.
    pub fn arm(&self, cell: &Cell) -> &Arm {
        &self.arms[cell.arm]
    }

    /// A cell's fold.
    pub fn fold(&self, cell: &Cell) -> &Fold {
        &self.folds[cell.fold]
    }

    /// A cell's folder.
    pub fn folder(&self, cell: &Cell) -> PathBuf {
        self.output.join("cells").join(&cell.hash)
    }

    /// The folder of prepared images, until the whole study is done: cells with the same inputs share
    /// them.
    pub fn cache(&self) -> PathBuf {
        self.output.join("prepared")
    }

    /// Scans that are held out in turn.
    pub fn scans(&self) -> usize {
        self.participants.cohort.cases.len()
    }

    /// What was noticed about subjects and folds.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Scans that are left out, and why.
    pub fn left_out(&self) -> &[(String, String)] {
        &self.participants.left_out
    }
}

const CHECKSUMS: &str = "checksums.json";

fn files_of(case: &CaseFiles) -> Vec<PathBuf> {
    let beside = [&case.mask, &case.truth, &case.unknown].into_iter().flatten();
    case.images.values().chain(beside).cloned().collect()
}
