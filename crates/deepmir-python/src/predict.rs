//! Prediction for Python.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use deepmir_cases::cohort::single_case;
use deepmir_cases::{CaseFiles, Contrast, Modality};
use deepmir_model::Bundle;
use deepmir_net::DeviceChoice;
use deepmir_pipeline::owner::refuse_other_results_of;
use deepmir_pipeline::predict::{Prediction as Predicted, Predictor};
use deepmir_volume::nifti::ReadOptions;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict};

use crate::failure::Failure;
use crate::images::{Rows, Source, bytes_of};
use crate::model::Model;
use crate::warnings::pairs;
use crate::work::{self, Reporter};

/// What was found in a scan.
#[pyclass(frozen, module = "deepmir._deepmir")]
pub struct Prediction {
    found: Arc<Found>,
    lesions: String,
}

struct Found {
    prediction: Predicted,
    files: CaseFiles,
    bundle: Arc<Bundle>,
    options: Options,
}

/// How a model is run.
#[derive(Clone, Copy)]
struct Options {
    flips: bool,
    nan_to_zero: bool,
    strict: bool,
}

impl Options {
    fn predictor(self, bundle: &Bundle) -> Result<Predictor, Failure> {
        let mut predictor = Predictor::new(bundle.clone(), DeviceChoice::Auto)?;
        predictor.detector.options.flips = self.flips;
        predictor.detector.read.nan_to_zero = self.nan_to_zero;
        predictor.strict = self.strict;
        Ok(predictor)
    }
}

/// Finds the lesions of one scan.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "keyword arguments of the Python part")]
pub fn predict(
    py: Python<'_>,
    images: Vec<(String, Source)>,
    mask: Option<Source>,
    model: &Model,
    flips: bool,
    nan_to_zero: bool,
    strict: bool,
    threads: Option<usize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Prediction> {
    let bundle = Arc::clone(&model.bundle);
    let options = Options { flips, nan_to_zero, strict };
    work::run(py, threads, progress.as_ref(), move |reporter| {
        find(images, mask.as_ref(), bundle, options, reporter)
    })
}

fn find(
    images: Vec<(String, Source)>,
    mask: Option<&Source>,
    bundle: Arc<Bundle>,
    options: Options,
    reporter: &Reporter,
) -> Result<Prediction, Failure> {
    let magnitude = images.iter().any(|(name, _)| name == "T2starw");
    let images: BTreeMap<Modality, Source> = images
        .into_iter()
        .map(|(name, image)| Ok((name.parse().map_err(Failure::input)?, image)))
        .collect::<Result<_, Failure>>()?;
    let paths = images.iter().map(|(&modality, image)| (modality, image.name().to_owned()));
    let mask_path = mask.map(|mask| mask.name().to_owned());
    let contrast = magnitude.then_some(Contrast::T2StarMagnitude);
    let files = CaseFiles { contrast, ..single_case(paths.collect(), mask_path)? };
    let mut predictor = options.predictor(&bundle)?;
    let mut progress = |done, total| reporter.tell("slices", done, total);
    let is_file = |source: &Source| matches!(source, Source::File(_));
    let prediction = if images.values().chain(mask).all(is_file) {
        predictor.predict(&files, &mut progress)?
    } else {
        let case = in_memory(&files, &images, mask, options)?;
        predictor.predict_in(case, &mut progress)?
    };
    let lesions = lesions(&prediction, &predictor)?;
    let found = Arc::new(Found { prediction, files, bundle, options });
    Ok(Prediction { found, lesions })
}

fn in_memory(
    files: &CaseFiles,
    images: &BTreeMap<Modality, Source>,
    mask: Option<&Source>,
    options: Options,
) -> Result<deepmir_cases::Case, Failure> {
    let read = ReadOptions { nan_to_zero: options.nan_to_zero };
    let mut header = None;
    let mut volumes = BTreeMap::new();
    for (&modality, source) in images {
        let image = source.image(&read)?;
        header.get_or_insert(image.header);
        volumes.insert(modality, image.volume);
    }
    let mask = mask.map(|mask| mask.image(&read)).transpose()?;
    let header = header.ok_or_else(|| Failure::input("give at least one image"))?;
    let finder = deepmir_pipeline::anatomy::Anatomy::default();
    let mask = mask.as_ref().map(|mask| &mask.volume);
    Ok(files.with_images(header, volumes, mask, Some(&finder))?)
}

/// The lesion table as JSON, with the probability of each lesion where the model has a candidate classifier.
fn lesions(prediction: &Predicted, predictor: &Predictor) -> Result<String, Failure> {
    #[derive(serde::Serialize)]
    struct Row<'a> {
        #[serde(flatten)]
        row: &'a deepmir_lesion::LesionRow,
        lesion_probability: Option<f32>,
    }
    let probabilities = predictor.lesion_probabilities(prediction);
    let rows = prediction.rows.iter().enumerate().map(|(n, row)| {
        let lesion_probability = probabilities.as_ref().and_then(|all| all.get(n).copied());
        Row { row, lesion_probability }
    });
    Ok(serde_json::to_string(&rows.collect::<Vec<_>>())?)
}

#[pymethods]
impl Prediction {
    /// The scan's name.
    #[getter]
    fn id(&self) -> &str {
        &self.found.files.id
    }

    /// Voxels along each axis.
    #[getter]
    fn shape(&self) -> [usize; 3] {
        self.found.prediction.labels.grid().shape()
    }

    /// Rows of the affine.
    #[getter]
    fn affine(&self) -> Rows {
        self.found.prediction.case.grid().affine().rows()
    }

    /// The lesion table as JSON.
    #[getter]
    fn lesions(&self) -> &str {
        &self.lesions
    }

    /// Code and sentence of each warning.
    #[getter]
    fn warnings(&self) -> Vec<(String, String)> {
        pairs(&self.found.prediction.quality.warnings)
    }

    /// The label map, unsigned bytes.
    fn labels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyByteArray>> {
        bytes_of(py, self.found.prediction.labels.volume().data(), u8::to_ne_bytes)
    }

    /// The instance map, unsigned 16-bit integers.
    fn instances<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyByteArray>> {
        bytes_of(py, self.found.prediction.instances().data(), u16::to_ne_bytes)
    }

    /// The probability maps by class, single precision.
    fn probabilities<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let maps = PyDict::new(py);
        for (class, map) in self.found.prediction.probabilities.iter() {
            maps.set_item(class.name(), bytes_of(py, map.data(), f32::to_ne_bytes)?)?;
        }
        Ok(maps)
    }

    /// Writes what `deepmir predict` writes; the files.
    fn write(&self, py: Python<'_>, folder: PathBuf, overwrite: bool) -> PyResult<Vec<PathBuf>> {
        let found = Arc::clone(&self.found);
        work::run(py, None, None, move |_| {
            if !overwrite {
                refuse_other_results_of(&found.prediction, &found.files, &folder)?;
            }
            let predictor = found.options.predictor(&found.bundle)?;
            let written = predictor.write(&found.prediction, &found.files, &folder)?;
            Ok(written.all)
        })
    }
}
