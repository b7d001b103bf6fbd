//! What is written for a scan.

use std::path::{Path, PathBuf};

use deepmir_cases::bids::{self, BidsName, DerivedName};
use deepmir_cases::{BrainSource, CaseFiles, Modality};
use deepmir_detect::candidate_classifier::Calibration;
use deepmir_lesion::{LesionRow, table};
use deepmir_model::bundle::InputsOperatingPoint;
use deepmir_report::Mosaic;
use deepmir_volume::{atomic, nifti};
use serde_json::json;

use super::window::window;
use super::{Prediction, Predictor, candidates, large, microbleeds, parts, viewer_files};
use crate::{PipelineError, owner};

/// The files written for a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The label map.
    pub labels: PathBuf,
    /// The lesion table.
    pub table: PathBuf,
    /// The picture.
    pub mosaic: PathBuf,
    /// The page.
    pub report: PathBuf,
    /// Every file, these too.
    pub all: Vec<PathBuf>,
}

impl Predictor {
    /// Writes everything that was found into a folder, under names taken from the reference image
    /// (the SWI, where there is one).
    ///
    /// # Errors
    /// A folder that cannot be written to, or a full disk.
    pub fn write(
        &self,
        prediction: &Prediction,
        files: &CaseFiles,
        folder: &Path,
    ) -> Result<Written, PipelineError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| PipelineError::Write { path: folder.to_owned(), source })?;
        let name = reference_name(files);
        let path = |entities: &[(&str, &str)], suffix: &str, ending: &str| {
            folder.join(name.with(entities, suffix, ending))
        };
        const LESIONS: (&str, &str) = ("seg", "lesions");
        let header = Some(&prediction.case.header);

        let labels = path(&[LESIONS], "dseg", ".nii.gz");
        nifti::write(&labels, prediction.labels.volume(), header)?;
        let (names, sidecar) =
            (path(&[LESIONS], "dseg", ".tsv"), path(&[LESIONS], "dseg", ".json"));
        bids::write_label_table(&names)?;
        bids::write_json(&sidecar, &self.sidecar(prediction, files)?)?;
        let mut all = vec![labels.clone(), names, sidecar];
        const INSTANCES: (&str, &str) = ("seg", "instances");
        let instances = path(&[INSTANCES], "dseg", ".nii.gz");
        nifti::write(&instances, &prediction.instances(), header)?;
        let names = path(&[INSTANCES], "dseg", ".tsv");
        bids::write_text(&names, &instance_names(&prediction.rows))?;
        all.extend([instances, names]);
        if prediction.case.brain_source == BrainSource::Found {
            all.push(path(&[("desc", "brain")], "mask", ".nii.gz"));
            let inside = prediction.case.brain.map(|&inside| u8::from(inside));
            nifti::write(&path(&[("desc", "brain")], "mask", ".nii.gz"), &inside, header)?;
        }
        for (class, map) in prediction.probabilities.iter() {
            let path = path(&[LESIONS, ("label", class.name())], "probseg", ".nii.gz");
            nifti::write_scaled(&path, map, 1.0, header)?;
            all.push(path);
        }
        let quality = folder.join(name.of_scan(&[("desc", "lesions")], "_qc.json"));
        bids::write_json(&quality, &prediction.quality.sheet(files))?;
        let rows = folder.join(name.of_scan(&[("desc", "lesions")], ".tsv"));
        self.write_rows(&rows, prediction)?;
        let large = folder.join(name.of_scan(&[("desc", "lesions")], "_large.tsv"));
        let grid = prediction.labels.grid();
        all.extend(large::write(&large, &prediction.large, grid, &prediction.case.header)?);
        if self.detector.detection().classifier.is_some() {
            let candidates = folder.join(name.of_scan(&[("desc", "lesions")], "_candidates.tsv"));
            let Prediction { case, candidates: there, accepted, .. } = prediction;
            all.extend(candidates::write(&candidates, there, accepted, grid, &case.header)?);
        }
        if self.viewer_files {
            let probabilities = self.lesion_probabilities(prediction);
            let rows = &prediction.rows;
            all.extend(viewer_files::write(folder, &name, rows, probabilities.as_deref())?);
        }
        let mosaic = folder.join(name.of_scan(&[("desc", "lesions")], "_mosaic.png"));
        draw(prediction).write_png(&mosaic)?;
        let report = folder.join(name.of_scan(&[("desc", "lesions")], "_report.html"));
        let page = self.report(prediction, files)?.html()?;
        atomic::write(&report, page.as_bytes())
            .map_err(|source| PipelineError::Write { path: report.clone(), source })?;
        all.extend([&quality, &rows, &mosaic, &report].map(Clone::clone));
        Ok(Written { labels, table: rows, mosaic, report, all })
    }

    /// The lesion table, with the probability of each lesion where the model has a candidate classifier, and both parts
    /// of susceptibility where they are known.
    fn write_rows(&self, path: &Path, prediction: &Prediction) -> Result<(), PipelineError> {
        let mut columns = Vec::new();
        let mut cells = vec![Vec::new(); prediction.rows.len()];
        if let Some(probabilities) = self.lesion_probabilities(prediction) {
            columns.push(table::PROBABILITY);
            let text = |probability: &f32| [format!("{probability:.4}")];
            cells.iter_mut().zip(&probabilities).for_each(|(cells, p)| cells.extend(text(p)));
        }
        if let Some(separated) = &prediction.parts {
            columns.extend(parts::COLUMNS);
            let text = |part: Option<f64>| part.map_or("n/a".to_owned(), |ppm| format!("{ppm:.4}"));
            cells.iter_mut().zip(separated).for_each(|(cells, both)| cells.extend(both.map(text)));
        }
        Ok(table::write_with(path, &prediction.rows, &columns, &cells)?)
    }

    /// Where the result comes from: inputs and their checksums, the model, every setting.
    fn sidecar(
        &self,
        prediction: &Prediction,
        files: &CaseFiles,
    ) -> Result<serde_json::Value, PipelineError> {
        let settings = &self.bundle().settings;
        let sources: Vec<&PathBuf> = files.images.values().chain(&files.mask).collect();
        let checksums = sources.iter().map(|path| self.checksum(prediction, path));
        let checksums = checksums.collect::<Result<Vec<_>, _>>()?;
        // Whoever evaluates this must know.
        let known = &settings.provenance.training_images;
        let learned_from = checksums.iter().flatten().any(|sum| known.contains(sum));
        Ok(json!({
            "Description": "Lesions found by a neural network: research software, not a medical device",
            "Sources": sources,
            "SourcesSHA256": checksums,
            (owner::IMAGES): files.images,
            (owner::MASK): files.mask,
            "Contrast": files.contrast,
            (owner::VOXELS): owner::reference_voxels(prediction),
            "Model": settings.name,
            "LearnedFrom": learned_from,
            "ModelId": self.bundle().id(),
            "ModelWeights": settings.weights,
            "Detection": prediction.rule,
            "OperatingPoint": operating_point(prediction),
            "Counts": microbleeds::counts(prediction),
            "CandidateClassifier": settings.candidate_classifier.is_some(),
            "PatchClassifier": settings.patch_classifier.is_some(),
            "Flips": self.detector.options.flips,
            "NanToZero": self.detector.read.nan_to_zero,
            "GeneratedBy": { "Name": "deepmir", "Version": env!("CARGO_PKG_VERSION") },
        }))
    }
}

/// The images that the thresholds of `Detection` are for, with the calibration of each class; null for the model's own,
/// without calibration.
fn operating_point(prediction: &Prediction) -> serde_json::Value {
    let of_class = |point: &InputsOperatingPoint| {
        let each = point.calibration().into_iter();
        let each = each.map(|(class, Calibration { slope, offset })| {
            (class.name().to_owned(), json!({ "Slope": slope, "Offset": offset }))
        });
        serde_json::Value::Object(each.collect())
    };
    let point = prediction.operating_point.as_ref();
    point.map_or(
        serde_json::Value::Null,
        |point| json!({ "Images": point.images, "Calibration": of_class(point) }),
    )
}

/// What each value of the instance map stands for.
fn instance_names(rows: &[LesionRow]) -> String {
    let names = rows.iter().map(|row| format!("{0}\t{1} {0}\n", row.lesion_id, row.class));
    "index\tname\n".to_owned() + &names.collect::<String>()
}

/// The picture of a prediction: the SWI, or else the first image.
fn draw(prediction: &Prediction) -> deepmir_report::Canvas {
    let Prediction { case, labels, .. } = prediction;
    let lesions = prediction.lesions();
    let shown = case.images.iter().next();
    let (modality, image) = match shown {
        Some((modality, image)) => (*modality, image.clone()),
        // A case has at least one image; the label map stands in.
        None => (Modality::Swi, labels.volume().map(|&label| f32::from(label))),
    };
    let window = window(modality, &image, &case.brain);
    Mosaic::new(&image, lesions, &case.brain, window).draw()
}

/// The names of a subject's derivatives.
pub fn reference_name(files: &CaseFiles) -> DerivedName {
    match files.images.first_key_value() {
        Some((_, reference)) => BidsName::derived_from(reference),
        None => DerivedName::Other(files.id.clone()),
    }
}
