//! One cell: train, choose thresholds, predict the held-out subjects, store the predictions.

use std::path::Path;
use std::time::Instant;

use crate::plan::cell::Cell;
use deepmir_cases::CaseFiles;
use deepmir_model::Bundle;
use deepmir_net::DeviceChoice;
use deepmir_net::train::{Event, Training};
use deepmir_volume::atomic;
use deepmir_volume::nifti::ReadOptions;
use serde::{Deserialize, Serialize};

use crate::StudyError;
use crate::plan::layout::StudyPlan;
use crate::run::stored_predictions;
use deepmir_cases::bids;
use deepmir_pipeline::predict::Predictor;

/// The record of a finished cell (`done.json`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Scans predicted.
    pub scans: Vec<String>,
    /// Parameters of the network.
    pub parameters: usize,
    /// Seconds of training steps (validations, reading and time lost by stops left out).
    pub training_seconds: f64,
    /// Seconds of predicting, files and all (scans predicted before a stop left out).
    pub predicting_seconds: f64,
    /// Lesion F1 on the subjects that thresholds were chosen on.
    pub validation_f1: f64,
}

/// What happens in a cell.
#[derive(Debug)]
pub enum CellEvent<'a> {
    /// In its training.
    Training(Event<'a>),
    /// So many of its scans are predicted.
    Predicted {
        /// So many.
        done: usize,
        /// Of so many.
        total: usize,
    },
}

const DONE: &str = "done.json";
const MODEL: &str = "model";
pub(crate) const HISTORY: &str = "history.tsv";

impl Done {
    /// The record in a cell's folder; `None` if the cell is not finished.
    ///
    /// # Errors
    /// If the file is there and cannot be understood.
    pub fn read(folder: &Path) -> Result<Option<Self>, StudyError> {
        let path = folder.join(DONE);
        match std::fs::read_to_string(&path) {
            Ok(text) => match serde_json::from_str(&text) {
                Ok(done) => Ok(Some(done)),
                Err(error) => Err(StudyError::Table {
                    path,
                    reason: format!(
                        "this is no record of a finished cell ({error}); delete it, and its cell is done again"
                    ),
                }),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StudyError::Read { path, source }),
        }
    }
}

/// Does a cell from where it stands. The caller holds its lock.
pub(crate) fn work(
    plan: &StudyPlan,
    cell: &Cell,
    device: DeviceChoice,
    events: &mut dyn FnMut(CellEvent<'_>),
) -> Result<Done, StudyError> {
    let folder = plan.folder(cell);
    let training = training(plan, cell, device);
    let model = train(&training, &folder, events)?;

    let mut predictor = Predictor::new(model, device)?;
    predictor.detector.options.flips = plan.arm(cell).flips;
    predictor.detector.read = training.read;
    let cases = &plan.fold(cell).held_out;
    let mut seconds = 0.0;
    for (n, case) in cases.iter().enumerate() {
        if !stored_predictions::is_stored(&folder, &case.id) {
            let started = Instant::now();
            predict(&mut predictor, case, plan, &folder)?;
            seconds += started.elapsed().as_secs_f64();
        }
        events(CellEvent::Predicted { done: n + 1, total: cases.len() });
    }
    let done = Done {
        scans: cases.iter().map(|case| case.id.clone()).collect(),
        parameters: training.architecture.parameter_count(),
        training_seconds: History::read(&folder.join(HISTORY))?.seconds(),
        predicting_seconds: seconds,
        validation_f1: predictor.bundle().settings.provenance.validation_f1,
    };
    // The checkpoints are no longer needed.
    let _ = std::fs::remove_dir_all(&training.output);
    bids::write_json(&folder.join(DONE), &done)?;
    Ok(done)
}

/// The training of a cell.
pub(crate) fn training(plan: &StudyPlan, cell: &Cell, device: DeviceChoice) -> Training {
    let (arm, fold) = (plan.arm(cell), plan.fold(cell));
    let output = plan.folder(cell).join("training");
    let is_extra = |case: &CaseFiles| plan.participants.extra_training.contains(case);
    let (extra_training, training) = fold.training.iter().cloned().partition(is_extra);
    let mut config = arm.preset.training.clone();
    config.seed = cell.seed;
    Training {
        // Not the arm's name: the same training under another name is the same training.
        name: format!("cell-{}", cell.hash),
        data: format!("{} scans", fold.training.len()),
        plan: arm.preset.plan.clone(),
        architecture: arm.preset.architecture.clone(),
        config,
        training,
        extra_training,
        validation: fold.validation.clone(),
        rule: None,
        synthetic: None,
        start: None,
        cache: plan.cache(),
        output,
        device,
        read: ReadOptions { nan_to_zero: plan.config.nan_to_zero },
    }
}

/// The cell's model: trained, or as it was.
fn train(
    training: &Training,
    folder: &Path,
    events: &mut dyn FnMut(CellEvent<'_>),
) -> Result<Bundle, StudyError> {
    let model = folder.join(MODEL);
    if !model.is_dir() {
        let trained = training.output.join("model");
        // Its settings are written last.
        if !trained.join("model.toml").is_file() {
            deepmir_model::train(training, &mut |event| events(CellEvent::Training(event)))?;
        }
        let path = training.output.join(HISTORY);
        let history = std::fs::read(&path).map_err(|source| StudyError::Read { path, source })?;
        let failed = |path: &Path, source| StudyError::Write { path: path.to_owned(), source };
        let path = folder.join(HISTORY);
        atomic::write(&path, &history).map_err(|source| failed(&path, source))?;
        std::fs::rename(&trained, &model).map_err(|source| failed(&model, source))?;
    }
    // From disk, so that a cell that was stopped here predicts with the same rounded weights.
    Ok(Bundle::read(&model)?)
}

/// Predicts a scan from its arm's images alone and stores the prediction.
fn predict(
    predictor: &mut Predictor,
    case: &CaseFiles,
    plan: &StudyPlan,
    folder: &Path,
) -> Result<(), StudyError> {
    let settings = &predictor.bundle().settings;
    let inputs = settings.plan.inputs.clone();
    let images = case.images.iter().filter(|(modality, _)| inputs.contains(modality));
    let files = CaseFiles {
        images: images.map(|(modality, path)| (*modality, path.clone())).collect(),
        truth: None,
        unknown: None,
        ..case.clone()
    };
    let prediction = predictor.predict(&files, &mut |_, _| {})?;
    let threshold = plan.config.evaluation.froc_threshold;
    stored_predictions::store(folder, &case.id, &prediction, threshold)
}

/// The table of a training's validations.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct History {
    /// Column headings.
    pub columns: Vec<String>,
    /// Rows; `None` is `n/a`.
    pub rows: Vec<Vec<Option<f64>>>,
}

impl History {
    pub(crate) fn read(path: &Path) -> Result<Self, StudyError> {
        let fault = |error: csv::Error| StudyError::Table {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let mut reader =
            csv::ReaderBuilder::new().delimiter(b'\t').from_path(path).map_err(fault)?;
        let columns = reader.headers().map_err(fault)?.iter().map(str::to_owned).collect();
        let rows = reader.records().map(|record| {
            Ok(record.map_err(fault)?.iter().map(|cell| cell.parse().ok()).collect())
        });
        Ok(Self { columns, rows: rows.collect::<Result<_, StudyError>>()? })
    }

    /// A column's points over steps.
    pub(crate) fn points(&self, name: &str) -> Vec<(f64, f64)> {
        let place = |name: &str| self.columns.iter().position(|column| column == name);
        let (Some(step), Some(value)) = (place("step"), place(name)) else { return Vec::new() };
        let point = |row: &Vec<Option<f64>>| Some(((*row.get(step)?)?, (*row.get(value)?)?));
        self.rows.iter().filter_map(point).collect()
    }

    fn seconds(&self) -> f64 {
        self.points("seconds").iter().map(|(_, seconds)| seconds).sum()
    }
}
