//! Evaluation for Python.

use std::path::{Path, PathBuf};

use deepmir_lesion::LabelMap;
use deepmir_lesion::metrics::Bootstrap;
use deepmir_study::evaluate::{
    self, EvaluationOptions, evaluate, evaluate_maps as compare, pairs, without_prediction,
};
use deepmir_volume::components::Connectivity;
use pyo3::prelude::*;

use crate::failure::Failure;
use crate::images::Source;
use crate::work;

/// How predicted lesions compare with true ones.
#[pyclass(frozen, module = "deepmir._deepmir")]
pub struct Evaluation(evaluate::Evaluation);

/// Options by their names.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Options {
    rule: String,
    connectivity: u8,
    min_volume_mm3: f64,
    classes: Vec<String>,
    froc_threshold: f32,
    resamples: usize,
    seed: u64,
}

impl Options {
    fn checked(&self) -> Result<EvaluationOptions, Failure> {
        let classes = self.classes.iter().map(|class| class.parse().map_err(Failure::input));
        Ok(EvaluationOptions {
            groups: deepmir_cases::Groups::default(),
            rule: self.rule.parse().map_err(Failure::input)?,
            connectivity: match self.connectivity {
                26 => Connectivity::TwentySix,
                6 => Connectivity::Six,
                other => {
                    return Err(Failure::input(format!("connectivity is {other}; give 26 or 6")));
                }
            },
            min_volume_mm3: self.min_volume_mm3,
            classes: classes.collect::<Result<_, _>>()?,
            froc_threshold: self.froc_threshold,
            bootstrap: Bootstrap { resamples: self.resamples, seed: self.seed },
        })
    }
}

/// Compares files, or folders of them.
#[pyfunction]
pub fn evaluate_files(
    py: Python<'_>,
    truth: PathBuf,
    predicted: PathBuf,
    options: Options,
    allow_missing: bool,
    threads: Option<usize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Evaluation> {
    work::run(py, threads, progress.as_ref(), move |reporter| {
        let options = options.checked()?;
        for path in [&truth, &predicted] {
            std::fs::metadata(path).map_err(|error| {
                let message = format!("cannot read ({error}): {}", path.display());
                match error.kind() {
                    std::io::ErrorKind::NotFound => Failure::not_found(message),
                    _ => Failure::input(message),
                }
            })?;
        }
        let missing = without_prediction(&truth, &predicted)?;
        if !missing.is_empty() && !allow_missing {
            return Err(Failure::input(format!(
                "no prediction for {}; predict them, or ignore them with --allow-missing",
                missing.join(", ")
            )));
        }
        let pairs = pairs(&truth, &predicted)?;
        let total = pairs.len();
        let tell = |done| reporter.tell("subjects", done, total);
        Ok(Evaluation(evaluate(&pairs, &options, &tell)?))
    })
}

/// Compares two label maps, one of them or both in memory.
#[pyfunction]
pub fn evaluate_maps(
    py: Python<'_>,
    truth: Source,
    predicted: Source,
    options: Options,
    threads: Option<usize>,
) -> PyResult<Evaluation> {
    work::run(py, threads, None, move |_| {
        let names = [truth.name(), predicted.name()].map(Path::to_owned);
        let [truth, predicted] = [labels(&truth)?, labels(&predicted)?];
        let names = [names[0].as_path(), names[1].as_path()];
        Ok(Evaluation(compare("scan", &truth, &predicted, names, &options.checked()?)?))
    })
}

fn labels(source: &Source) -> Result<LabelMap, Failure> {
    match source {
        Source::File(path) => Ok(LabelMap::read(path)?.0),
        Source::Array(array) => Ok(LabelMap::from_integers(&array.integers()?, array.name())?),
    }
}

#[pymethods]
impl Evaluation {
    /// `evaluation.json`.
    fn json(&self) -> PyResult<String> {
        Ok(serde_json::to_string(&self.0).map_err(Failure::from)?)
    }

    /// Writes what `deepmir evaluate` writes.
    fn write(&self, py: Python<'_>, folder: PathBuf) -> PyResult<()> {
        let evaluation = self.0.clone();
        work::run(py, None, None, move |_| Ok(evaluation.write(&folder)?))
    }
}
