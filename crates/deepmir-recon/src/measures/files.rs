//! A map and its truth from files, and the table of their measures.

use std::path::{Path, PathBuf};

use deepmir_cases::bids::{write_json, write_text};
use deepmir_volume::nifti::{self, ReadOptions};
use deepmir_volume::{Grid, Volume, check_same_grid};
use serde_json::{Map, Value, json};

use super::{MEANINGS, Measure, TissueLabels, evaluated, measure};
use crate::ReconError;

/// What the table is called, after the stem.
const ENDING: &str = "desc-truth_measures";

const RESAMPLE: &str = "resample the second to the grid of the first";

/// The files of a comparison.
#[derive(Clone, Debug)]
pub struct CompareMaps {
    /// The map, in ppm.
    pub chi_map: PathBuf,
    /// The truth or reference, in ppm, on the map's grid.
    pub truth: PathBuf,
    /// The brain, on that grid; without, wherever the map is not zero.
    pub mask: Option<PathBuf>,
    /// Tissue labels with the numbers of the challenge's phantom ([`TissueLabels`]), on that grid.
    pub labels: Option<PathBuf>,
    /// Whether NaN and infinity count as zero.
    pub nan_to_zero: bool,
}

/// The measures, and what they are of.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The measures.
    pub measures: Vec<Measure>,
    /// Voxels of the mask that were left out because the map is zero there.
    pub without_value: usize,
    /// Voxels of the evaluated region where the truth is exactly zero.
    pub truth_is_zero: usize,
    /// The files.
    sources: Vec<String>,
}

impl CompareMaps {
    /// Checks by their headers that truth and labels lie on a grid, before anything is computed.
    ///
    /// # Errors
    /// Unreadable files; another grid, naming both.
    pub fn check_grid(&self, reference: &Path) -> Result<(), ReconError> {
        let header = nifti::read_header(reference)?;
        for path in [Some(&self.truth), self.labels.as_ref()].into_iter().flatten() {
            let other = nifti::read_header(path)?;
            check_same_grid((reference, header.grid()), (path, other.grid()), RESAMPLE)?;
        }
        Ok(())
    }

    /// Reads and measures.
    ///
    /// # Errors
    /// Unreadable files, other grids than the map's, labels that the phantom has not, no voxel to evaluate.
    pub fn measure(&self) -> Result<Compared, ReconError> {
        let options = ReadOptions { nan_to_zero: self.nan_to_zero };
        let chi = nifti::read_with(&self.chi_map, &options)?.volume;
        let on_grid = |path: &Path, grid: &Grid| {
            check_same_grid((&self.chi_map, chi.grid()), (path, grid), RESAMPLE)
        };
        let truth = nifti::read_with(&self.truth, &options)?.volume;
        on_grid(&self.truth, truth.grid())?;
        let brain = match &self.mask {
            Some(path) => {
                let mask = nifti::read_with(path, &options)?.volume;
                on_grid(path, mask.grid())?;
                mask.map(|value| *value > 0.5)
            }
            None => Volume::filled(*chi.grid(), true),
        };
        let labels =
            match &self.labels {
                Some(path) => {
                    let labels = nifti::read_integers(path)?.volume;
                    on_grid(path, labels.grid())?;
                    let labels = TissueLabels::new(labels);
                    Some(labels.map_err(|values| ReconError::TissueLabels {
                        values,
                        path: path.clone(),
                    })?)
                }
                None => None,
            };
        let region = evaluated(&chi, &brain);
        if region.count() < 2 {
            return Err(ReconError::NothingToMeasure { path: self.chi_map.clone() });
        }
        let zeros =
            truth.data().iter().zip(region.data()).filter(|(t, inside)| **inside && **t == 0.0);
        let masked = if self.mask.is_some() { brain.count() } else { region.count() };
        let files =
            [Some(&self.chi_map), Some(&self.truth), self.mask.as_ref(), self.labels.as_ref()];
        Ok(Compared {
            measures: measure(&chi, &truth, &brain, labels.as_ref()),
            without_value: masked - region.count(),
            truth_is_zero: zeros.count(),
            sources: files.into_iter().flatten().map(|path| path.display().to_string()).collect(),
        })
    }
}

/// Removes the table of measures that an earlier map left under a stem.
///
/// # Errors
/// If it cannot be removed.
pub fn remove_measures(folder: &Path, stem: &str) -> Result<(), ReconError> {
    for kind in ["tsv", "json"] {
        let path = folder.join(format!("{stem}_{ENDING}.{kind}"));
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(ReconError::Write { path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

impl Compared {
    /// Writes `STEM_desc-truth_measures.tsv` and a JSON file that tells what its columns and measures are. Returns the
    /// table's path.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn write(&self, folder: &Path, stem: &str) -> Result<PathBuf, ReconError> {
        let mut text = String::from("measure\tregion\tvoxels\tvalue\tunit\n");
        for Measure { name, region, voxels, unit, value } in &self.measures {
            let value = value.map_or("n/a".to_owned(), |value| format!("{value:.6}"));
            text += &format!("{name}\t{region}\t{voxels}\t{value}\t{unit}\n");
        }
        let path = folder.join(format!("{stem}_{ENDING}.tsv"));
        write_json(&folder.join(format!("{stem}_{ENDING}.json")), &self.sidecar())?;
        write_text(&path, &text)?;
        Ok(path)
    }

    fn sidecar(&self) -> Value {
        let levels: Map<String, Value> =
            MEANINGS.into_iter().map(|(name, text)| (name.to_owned(), json!(text))).collect();
        json!({
            "Description": "How near a susceptibility map comes to the truth, by the measures of the second QSM \
                            reconstruction challenge and of QSM-CI",
            "Sources": self.sources,
            "EvaluatedRegion": "brain mask, where the map is not zero; both maps are zero outside it",
            "measure": { "Description": "the measure", "Levels": levels },
            "region": { "Description": "part of the evaluated region; brain is all of it" },
            "voxels": { "Description": "voxels of that part" },
            "value": { "Description": "n/a where it is not defined" },
            "unit": { "Description": "unit of the value; 1 is none" },
        })
    }
}
