//! Results of `deepmir predict` and `deepmir run`, to be shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_cases::bids::{label_maps, parse_object};
use deepmir_cases::{Modality, choose, sha256};
use deepmir_lesion::{Certainty, LesionClass, LesionRow, Side, table};
use deepmir_volume::{Grid, Orientation, nifti};
use serde_json::Value;

use crate::AnnotateError;
use crate::candidates::{Candidate, rejected, table_beside};
use crate::case::{CaseFiles, Dataset};
use crate::image_kind::ImageKind;
use crate::layer::{Annotation, Layer, Origin};
use crate::view::{LesionView, Measures, middle};

/// The files of a scan's results, and what is known without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultFiles {
    /// The map of the lesions' numbers.
    pub instances: PathBuf,
    /// The lesion table.
    pub table: PathBuf,
    /// The table of all scored candidates, with a map of their numbers beside it; none without a candidate classifier.
    pub candidates: Option<PathBuf>,
    /// Each image with its checksum when it was read.
    pub checksums: Vec<(PathBuf, String)>,
    /// The model that found them.
    pub model: String,
    /// The numbers of CMB and NHID.
    pub counts: [usize; 2],
}

/// A scan's results, read.
#[derive(Debug)]
pub struct LoadedResult {
    /// Which voxel belongs to which lesion.
    pub layer: Layer,
    /// The lesions, as the table has them.
    pub lesions: Vec<LesionView>,
    /// What was scored and not called, the most probable first.
    pub rejected: Vec<Candidate>,
}

impl ResultFiles {
    /// Every file that is read.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.instances, &self.table].into_iter().chain(&self.candidates)
    }
}

impl Dataset {
    /// Opens results of `deepmir predict` or `deepmir run`: every scan with a label map below `folders` is a case. They
    /// are shown and nothing is written.
    ///
    /// # Errors
    /// No results; two of one scan; those of earlier versions, which do not name their images; images that are not there
    /// any more; an unknown participant or session.
    pub fn from_results(
        folders: &[PathBuf],
        participants: &[String],
        sessions: &[String],
    ) -> Result<Self, AnnotateError> {
        let Some(first) = folders.first() else {
            return Err(AnnotateError::refused("give a folder of results of `deepmir predict`"));
        };
        let mut maps: BTreeMap<String, PathBuf> = BTreeMap::new();
        for folder in folders {
            for (scan, path) in label_maps(folder)? {
                if let Some(other) = maps.insert(scan.clone(), path.clone()) {
                    return Err(AnnotateError::refused(format!(
                        "two results are of {scan}: {} and {}; give one of them",
                        other.display(),
                        path.display()
                    )));
                }
            }
        }
        if maps.is_empty() {
            return Err(AnnotateError::refused(format!(
                "no results of `deepmir predict` or `deepmir run` (*_seg-lesions_dseg.nii.gz) here: {}",
                first.display()
            )));
        }
        let part = |scan: &str, key: &str| {
            scan.split('_').find_map(|part| part.strip_prefix(key)).map(str::to_owned)
        };
        let mut scans: Vec<(String, Option<String>, String, PathBuf)> = maps
            .into_iter()
            .map(|(scan, path)| {
                let subject = part(&scan, "sub-").unwrap_or_else(|| scan.clone());
                (subject, part(&scan, "ses-"), scan, path)
            })
            .collect();
        choose(
            &mut scans,
            (participants, |(subject, ..)| subject),
            (sessions, |(_, session, ..)| session.as_deref()),
            first,
        )?;
        let cases = scans.into_iter().map(|(.., scan, path)| case(scan, &path));
        let cases = cases.collect::<Result<Vec<_>, _>>()?;
        let mut roots = folders.to_vec();
        // The results name their images, wherever these are.
        let named = cases.iter().flat_map(|case| case.images.iter().map(|(_, path)| path));
        roots.extend(named.chain(cases.iter().filter_map(|case| case.brain.as_ref())).cloned());
        Self::new(cases, first.clone(), &roots)
    }
}

fn case(scan: String, labels: &Path) -> Result<CaseFiles, AnnotateError> {
    let folder = labels.parent().unwrap_or(Path::new(""));
    let name = labels.file_name().unwrap_or_default().to_string_lossy();
    let beside = |name: String| {
        let path = folder.join(name);
        if path.is_file() {
            return Ok(path);
        }
        Err(AnnotateError::Results {
            path,
            reason: "this file, written beside the label map, is missing".to_owned(),
        })
    };
    let instances = beside(name.replacen("seg-lesions", "seg-instances", 1))?;
    let rows = beside(format!("{scan}_desc-lesions.tsv"))?;
    let sidecar = beside(format!("{}.json", nifti::stem(labels)))?;
    let told = std::fs::read(&sidecar)
        .map_err(|source| AnnotateError::Io { path: sidecar.clone(), source })?;
    let fault =
        |reason: &str| AnnotateError::Results { path: sidecar.clone(), reason: reason.to_owned() };
    let told = parse_object(&told).map_err(|reason| fault(&reason))?;
    let images: Option<BTreeMap<Modality, PathBuf>> =
        told.get("Images").and_then(|images| serde_json::from_value(images.clone()).ok());
    let images = images
        .filter(|images| !images.is_empty())
        .ok_or_else(|| fault("the results do not name their images"))?;
    let found = |path: &Path| image_of_results(path, &sidecar);
    let images = images
        .into_iter()
        .map(|(modality, path)| Ok((ImageKind::from(modality), found(&path)?)))
        .collect::<Result<Vec<_>, AnnotateError>>()?;
    let own_mask = folder.join(name.replacen("seg-lesions_dseg", "desc-brain_mask", 1));
    let brain = match told.get("Mask").and_then(Value::as_str) {
        Some(mask) => Some(found(Path::new(mask))?),
        None => Some(own_mask).filter(|mask| mask.is_file()),
    };
    let sums = told.get("SourcesSHA256").and_then(Value::as_array).into_iter().flatten();
    let checksums = images
        .iter()
        .zip(sums)
        .filter_map(|((_, path), sum)| sum.as_str().map(|sum| (path.clone(), sum.to_owned())));
    let counts = table::read(&rows)?;
    let count = |class| counts.iter().filter(|row| row.class == class).count();
    let model = told.get("Model").and_then(Value::as_str).unwrap_or("unknown").to_owned();
    let result = ResultFiles {
        instances,
        table: rows,
        candidates: table_beside(labels),
        checksums: checksums.collect(),
        model,
        counts: [count(LesionClass::Cmb), count(LesionClass::Nhid)],
    };
    Ok(CaseFiles {
        folder: PathBuf::new(),
        name: scan.clone(),
        id: scan,
        images,
        brain,
        candidates: None,
        candidate_table: None,
        visits: None,
        result: Some(result),
    })
}

/// Where an image that results name is: where it was, as seen from here or from the results.
///
/// # Errors
/// If it is at neither place.
pub fn image_of_results(path: &Path, sidecar: &Path) -> Result<PathBuf, AnnotateError> {
    let beside = sidecar.parent().map(|folder| folder.join(path));
    let places = [Some(path.to_owned()), beside];
    places.into_iter().flatten().find(|place| place.is_file()).ok_or_else(|| {
        AnnotateError::refused(format!(
            "an image of {} is not there any more; start in the folder where these results were made, or make them \
             again: {}",
            sidecar.display(),
            path.display()
        ))
    })
}

/// Holds an image to its checksum in the results that were made of it.
///
/// # Errors
/// If it has changed since or cannot be read.
pub fn unchanged(path: &Path, sum: &str) -> Result<(), AnnotateError> {
    if sha256(path)? == sum {
        return Ok(());
    }
    Err(AnnotateError::refused(format!(
        "this image has changed since these results were made of it; make them again: {}",
        path.display()
    )))
}

impl LoadedResult {
    /// Reads what was found on `grid` in RAS order.
    ///
    /// # Errors
    /// Images that have changed since; maps on another grid; a table and a map that contradict each other.
    pub fn read(
        files: &ResultFiles,
        grid: &Grid,
        orientation: &Orientation,
    ) -> Result<Self, AnnotateError> {
        files.checksums.iter().try_for_each(|(path, sum)| unchanged(path, sum))?;
        let fault = |path: &Path, reason: &str| AnnotateError::Results {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let numbers = orientation.to_ras(&nifti::read_integers(&files.instances)?.volume);
        if !numbers.grid().same_as(grid) {
            return Err(fault(&files.instances, "it is on another grid than the image"));
        }
        let other = "the table has other lesions than this map";
        let number = |number: i64| u16::try_from(number).ok().filter(|&number| number > 0);
        let mut layer = Layer::default();
        for (index, &at) in numbers.data().iter().enumerate().filter(|(_, at)| **at != 0) {
            let lesion = number(at.into()).ok_or_else(|| fault(&files.instances, other))?;
            layer.voxels.insert(index as u32, lesion);
        }
        let rows = table::read(&files.table)?;
        let probabilities = table::read_probabilities(&files.table)?;
        let mut voxels = layer.voxels_of_lesions();
        let mut lesions = Vec::with_capacity(rows.len());
        for row in &rows {
            let id = number(row.lesion_id as i64).filter(|id| !layer.lesions.contains_key(id));
            let own = id.and_then(|id| Some((id, voxels.remove(&id)?)));
            let (id, own) = own.ok_or_else(|| fault(&files.instances, other))?;
            let probability = probabilities.get(&row.lesion_id).copied();
            let view = viewed(id, row, middle(grid, &own, [row.x_mm, row.y_mm, row.z_mm]));
            layer.lesions.insert(id, view.said.clone());
            lesions.push(LesionView { probability, ..view });
        }
        if !voxels.is_empty() {
            return Err(fault(&files.instances, other));
        }
        let rejected = match &files.candidates {
            Some(table) => rejected(table, grid, orientation)?,
            None => Vec::new(),
        };
        Ok(Self { layer, lesions, rejected })
    }
}

/// A row of the table as the page shows it.
fn viewed(id: u16, row: &LesionRow, voxel: [usize; 3]) -> LesionView {
    let side = row.side.unwrap_or(if row.x_mm < 0.0 { Side::Left } else { Side::Right });
    LesionView {
        id,
        said: Annotation {
            certainty: row.certainty.unwrap_or(Certainty::Definite),
            region: row.mars_region,
            ..Annotation::new(row.class, Origin::Model)
        },
        lobe: row.region.map(|region| region.name()),
        side: if side == Side::Left { "L" } else { "R" },
        voxel,
        measures: Measures::from(row),
        parts: 1,
        probability: None,
    }
}
