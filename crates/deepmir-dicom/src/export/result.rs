//! What `deepmir predict` and `deepmir run` wrote of a scan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use chrono::{DateTime, Datelike, Timelike};
use deepmir_cases::bids::{label_maps, parse_object};
use deepmir_lesion::{LabelMap, LesionRow, table};
use deepmir_volume::{Volume, nifti};
use serde_json::Value;

use super::common::MapKind;
use crate::DicomError;

/// The results of one scan.
pub struct ScanResult {
    /// The scan: `sub-01_ses-1`.
    pub scan: String,
    /// The label map's file.
    pub path: PathBuf,
    /// Voxels of each class.
    pub labels: LabelMap,
    /// Voxels of each lesion, by its number.
    pub instances: Volume<i32>,
    /// The lesion table.
    pub rows: Vec<LesionRow>,
    /// Calibrated probabilities by the lesion's number.
    pub probabilities: BTreeMap<usize, f64>,
    /// Name of the model.
    pub model: String,
    /// Its checksum.
    pub model_id: String,
    /// Version of the program that found the lesions.
    pub version: String,
    /// Images of the scanner that the results were made from, where they still are.
    pub images: Vec<PathBuf>,
    /// Whether the reference image was itself made of raw echoes.
    pub reconstructed: bool,
    /// QSM, and the SWI if it was made of raw echoes.
    pub maps: Vec<(MapKind, PathBuf)>,
    /// The picture of the lesions, if there is one.
    pub mosaic: Option<PathBuf>,
    /// Date and time of the label map in UTC: `20260131`, `120000`.
    pub written: [String; 2],
}

/// The label map of every scan below folders, by scan.
///
/// # Errors
/// If there are none, or two of one scan.
pub fn listed(folders: &[PathBuf]) -> Result<BTreeMap<String, PathBuf>, DicomError> {
    let mut all: BTreeMap<String, PathBuf> = BTreeMap::new();
    for folder in folders {
        let fault = |reason: &str| {
            Err(DicomError::Results { path: folder.clone(), reason: reason.to_owned() })
        };
        if !folder.is_dir() {
            return fault("no folder; give one that `deepmir predict` or `deepmir run` wrote");
        }
        let maps = label_maps(folder)?;
        if maps.is_empty() {
            return fault(
                "there are no results of `deepmir predict` or `deepmir run` (*_seg-lesions_dseg.nii.gz)",
            );
        }
        for (scan, path) in maps {
            if let Some(other) = all.get(&scan) {
                let reason = format!(
                    "another folder has results of {scan} too ({}); export them one at a time",
                    other.display()
                );
                return Err(DicomError::Results { path, reason });
            }
            all.insert(scan, path);
        }
    }
    Ok(all)
}

impl ScanResult {
    /// Reads the results of a scan by its label map.
    ///
    /// # Errors
    /// If a file of them is missing or damaged, or they contradict each other.
    pub fn read(scan: &str, path: &Path) -> Result<Self, DicomError> {
        let (scan, path) = (scan.to_owned(), path.to_owned());
        let (labels, _) = LabelMap::read(&path)?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let beside = |name: &str| there(folder.join(name), "written beside the label map");
        let instances = beside(&name.replacen("seg-lesions", "seg-instances", 1))?;
        let rows = beside(&format!("{scan}_desc-lesions.tsv"))?;
        let sidecar = beside(&format!("{}.json", nifti::stem(&path)))?;
        let (instances_path, rows_path) = (instances, rows);
        let instances = nifti::read_integers(&instances_path)?.volume;
        if !instances.grid().same_as(labels.grid()) {
            let reason = "it has another grid than the label map; predict again".to_owned();
            return Err(DicomError::Results { path: instances_path, reason });
        }
        let rows = table::read(&rows_path)?;
        check_rows(&rows, &instances, &rows_path)?;
        let probabilities = table::read_probabilities(&rows_path)?;
        let told = object(&sidecar).map_err(|reason| {
            let reason = format!("{reason}; predict again");
            DicomError::Results { path: sidecar.clone(), reason }
        })?;
        let text = |value: Option<&Value>| {
            value
                .and_then(Value::as_str)
                .filter(|text| text.is_ascii())
                .unwrap_or("unknown")
                .to_owned()
        };
        let (images, reconstructed) = images(&told, &folder);
        let maps = maps(&told, reconstructed, &folder);
        let mosaic = folder.join(format!("{scan}_desc-lesions_mosaic.png"));
        Ok(Self {
            model: text(told.get("Model")),
            model_id: text(told.get("ModelId")),
            version: text(told.get("GeneratedBy").and_then(|by| by.get("Version"))),
            written: date(&path),
            mosaic: mosaic.is_file().then_some(mosaic),
            scan,
            path,
            labels,
            instances,
            rows,
            probabilities,
            images,
            reconstructed,
            maps,
        })
    }
}

fn object(path: &Path) -> Result<serde_json::Map<String, Value>, String> {
    parse_object(&std::fs::read(path).map_err(|error| error.to_string())?)
}

fn there(path: PathBuf, what: &str) -> Result<PathBuf, DicomError> {
    if path.is_file() {
        return Ok(path);
    }
    let reason = format!("this file, {what}, is missing; predict again");
    Err(DicomError::Results { path, reason })
}

/// That table and instance map have the same lesions, and all numbers are some.
fn check_rows(rows: &[LesionRow], map: &Volume<i32>, path: &Path) -> Result<(), DicomError> {
    let finite = |row: &LesionRow| {
        let measured = [row.x_mm, row.y_mm, row.z_mm, row.volume_mm3, row.diameter_mm];
        let chi = [row.chi_mean_ppm, row.chi_total_ppm_mm3].into_iter().flatten();
        measured.into_iter().chain(chi).all(f64::is_finite)
    };
    if let Some(row) = rows.iter().find(|row| !finite(row)) {
        let reason =
            format!("lesion {} has a measure that is no number; predict again", row.lesion_id);
        return Err(DicomError::Results { path: path.to_owned(), reason });
    }
    let mut voxels: BTreeMap<i32, usize> = BTreeMap::new();
    map.data().iter().filter(|&&number| number != 0).for_each(|&number| {
        *voxels.entry(number).or_default() += 1;
    });
    let said: BTreeMap<i32, usize> =
        rows.iter().map(|row| (i32::try_from(row.lesion_id).unwrap_or(-1), row.n_voxels)).collect();
    if said == voxels && said.len() == rows.len() {
        return Ok(());
    }
    let reason = format!(
        "the table has {} lesions and the map of lesions {}, or they differ in voxels; predict again",
        rows.len(),
        voxels.len()
    );
    Err(DicomError::Results { path: path.to_owned(), reason })
}

/// The scanner's images behind a result: the reference, or the raw echoes that it was made of. The second value tells
/// which.
fn images(told: &serde_json::Map<String, Value>, folder: &Path) -> (Vec<PathBuf>, bool) {
    let list = |value: Option<&Value>| -> Vec<PathBuf> {
        let all = value.and_then(Value::as_array).into_iter().flatten();
        all.filter_map(Value::as_str).map(|path| folder.join(path)).collect()
    };
    // The first image is the reference: its grid is that of the label map.
    let Some(reference) = list(told.get("Sources")).into_iter().next() else {
        return (Vec::new(), false);
    };
    let sidecar = reference.with_file_name(format!("{}.json", nifti::stem(&reference)));
    let sources = object(&sidecar).map(|told| list(told.get("Sources"))).unwrap_or_default();
    let reconstructed = !sources.is_empty();
    let all = if reconstructed { sources } else { vec![reference] };
    (all.into_iter().filter(|path| path.is_file()).collect(), reconstructed)
}

/// The maps that a result names.
fn maps(
    told: &serde_json::Map<String, Value>,
    reconstructed: bool,
    folder: &Path,
) -> Vec<(MapKind, PathBuf)> {
    let image = |name: &str| told.get("Images")?.get(name)?.as_str().map(|path| folder.join(path));
    let qsm = image("QSM").map(|path| (MapKind::Qsm, path));
    let swi = image("SWI").filter(|_| reconstructed).map(|path| (MapKind::Swi, path));
    qsm.into_iter().chain(swi).collect()
}

/// When a file was written, in UTC.
fn date(path: &Path) -> [String; 2] {
    let written = std::fs::metadata(path).and_then(|file| file.modified()).unwrap_or(UNIX_EPOCH);
    let seconds = written.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let time = DateTime::from_timestamp(seconds as i64, 0).unwrap_or_default();
    [
        format!("{:04}{:02}{:02}", time.year(), time.month(), time.day()),
        format!("{:02}{:02}{:02}", time.hour(), time.minute(), time.second()),
    ]
}
