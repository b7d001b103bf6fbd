//! Stored predictions: enough to recompute every table from, in a few kilobytes.
//!
//! For each scan `<scan>_dseg.nii.gz`, the label map by the cell's own thresholds, and, for curves,
//! the candidates: every region whose probability of any lesion reaches the study's `froc_threshold`,
//! numbered in `<scan>_candidates.nii.gz` and listed with class and peak in
//! `<scan>_candidates.tsv`.

use std::path::{Path, PathBuf};

use deepmir_lesion::{BasalGanglia, Candidate, LabelMap, Lesion, LesionClass, numbered};
use deepmir_volume::nifti;

use crate::StudyError;
use deepmir_cases::bids;
use deepmir_pipeline::predict::Prediction;
use deepmir_pipeline::predict::candidates::voxels_of;

/// A scan's prediction, read back.
#[derive(Clone, Debug)]
pub(crate) struct StoredPrediction {
    /// The predicted lesions.
    pub labels: LabelMap,
    /// The candidates, in falling order of peaks.
    pub candidates: Vec<Candidate>,
}

/// The files of a scan's prediction in a cell's folder.
struct Files {
    labels: PathBuf,
    candidates: PathBuf,
    table: PathBuf,
}

impl Files {
    fn of(cell: &Path, scan: &str) -> Self {
        let path = |ending: &str| cell.join(FOLDER).join(format!("{scan}_{ending}"));
        Self {
            labels: path("dseg.nii.gz"),
            candidates: path("candidates.nii.gz"),
            table: path("candidates.tsv"),
        }
    }
}

const FOLDER: &str = "predictions";

/// Whether a scan's prediction is there, whole.
pub(crate) fn is_stored(cell: &Path, scan: &str) -> bool {
    // Written last.
    Files::of(cell, scan).table.is_file()
}

/// Stores a prediction.
pub(crate) fn store(
    cell: &Path,
    scan: &str,
    prediction: &Prediction,
    threshold: f32,
) -> Result<(), StudyError> {
    let folder = cell.join(FOLDER);
    std::fs::create_dir_all(&folder)
        .map_err(|source| StudyError::Write { path: folder, source })?;
    let files = Files::of(cell, scan);
    let header = Some(&prediction.case.header);
    nifti::write(&files.labels, prediction.labels.volume(), header)?;

    let brain = &prediction.case.brain;
    let rule = &prediction.rule;
    let extent = rule.restricting_extent(brain);
    let nuclei = prediction.regions.as_ref().map(|regions| regions as &dyn BasalGanglia);
    let basal_ganglia = rule.basal_ganglia(nuclei, extent.as_ref());
    let mut candidates = prediction.probabilities.candidates(threshold, Some(brain), basal_ganglia);
    candidates.sort_by(|a, b| b.peak_probability.total_cmp(&a.peak_probability));
    // More than enough; the number must fit the file's voxels.
    candidates.truncate(usize::from(u16::MAX));
    let numbers =
        numbered(candidates.iter().map(|candidate| &candidate.lesion), prediction.labels.grid());
    let mut table =
        String::from("candidate\tclass\tpeak_probability\tmean_probability\tvolume_mm3\n");
    for (number, candidate) in (1..).zip(&candidates) {
        let Candidate { lesion, peak_probability, mean_probability, .. } = candidate;
        table += &format!(
            "{number}\t{}\t{peak_probability}\t{mean_probability}\t{}\n",
            lesion.class, lesion.volume_mm3
        );
    }
    nifti::write(&files.candidates, &numbers, header)?;
    Ok(bids::write_text(&files.table, &table)?)
}

#[derive(serde::Deserialize)]
struct Row {
    candidate: usize,
    class: LesionClass,
    peak_probability: f32,
    mean_probability: f32,
}

/// Reads a prediction back.
pub(crate) fn read(cell: &Path, scan: &str) -> Result<StoredPrediction, StudyError> {
    let files = Files::of(cell, scan);
    let (labels, _) = LabelMap::read(&files.labels)?;
    let numbers = nifti::read_integers(&files.candidates)?.volume;
    let fault = |reason: String| StudyError::Table { path: files.table.clone(), reason };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .from_path(&files.table)
        .map_err(|error| fault(error.to_string()))?;
    let rows: Vec<Row> =
        reader.deserialize().collect::<Result<_, _>>().map_err(|error| fault(error.to_string()))?;
    let voxels = voxels_of(&numbers, rows.len()).map_err(fault)?;
    let candidates = rows.into_iter().zip(voxels).enumerate().map(|(n, (row, voxels))| {
        if row.candidate != n + 1 {
            return Err(fault(format!("candidate {} is out of order", row.candidate)));
        }
        let grid = numbers.grid();
        let lesion = Lesion::new(row.class, voxels, grid);
        Ok(Candidate::new(lesion, row.peak_probability, row.mean_probability, grid))
    });
    Ok(StoredPrediction { labels, candidates: candidates.collect::<Result<_, _>>()? })
}
