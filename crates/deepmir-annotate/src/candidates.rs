//! What can be accepted or rejected; of a model its lesions, and what it was least sure of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_cases::bids::BidsName;
use deepmir_lesion::{LabelMap, Lesion, LesionClass, lesions_of};
use deepmir_volume::components::Connectivity;
use deepmir_volume::{Grid, Orientation, nifti};
use serde::Deserialize;

use crate::AnnotateError;
use crate::layer::{Annotation, Origin};

/// Candidates that the model does not take for a lesion are shown, too, if they are at least so probable.
const LEAST_PROBABILITY: f64 = 0.1;
/// No more of them are shown: each asks for a decision.
const MOST_REJECTED: usize = 12;

/// A lesion that can be accepted or rejected. Lists of them are in the order in which they are decided on.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its name: `model:3` by a model's table, `lesion:3` or `place:3` by those of two visits, `anna:3` of a rater.
    pub key: String,
    /// What it becomes if it is accepted.
    pub said: Annotation,
    /// Its voxels in RAS order.
    pub voxels: Vec<usize>,
    /// How probable that is, if a program proposes it.
    pub probability: Option<f64>,
    /// Whether the program that shows it takes it for no lesion.
    pub doubted: bool,
}

impl Candidate {
    /// One that nobody doubts, of unknown probability.
    pub fn new(key: String, said: Annotation, voxels: Vec<usize>) -> Self {
        Self { key, said, voxels, probability: None, doubted: false }
    }
}

#[derive(Deserialize)]
struct Row {
    candidate: i32,
    class: LesionClass,
    lesion_probability: f64,
    accepted: String,
    review_rank: usize,
}

/// The table of candidates that `deepmir predict` writes beside a label map, if it and its map are there.
pub fn table_beside(label_map: &Path) -> Option<PathBuf> {
    let name = BidsName::derived_from(label_map).of_scan(&[("desc", "lesions")], "_candidates.tsv");
    let table = label_map.with_file_name(name);
    (table.is_file() && map_of(&table).is_file()).then_some(table)
}

/// The map of the numbers of a table's candidates.
pub fn map_of(table: &Path) -> PathBuf {
    table.with_extension("nii.gz")
}

/// The candidates of a label map (in RAS order) and of the table beside it, in the order of review. Without a table each
/// connected region of the label map is one.
///
/// # Errors
/// A table or map that cannot be read, or that is on another grid.
pub fn read(
    labels: &LabelMap,
    table: Option<&Path>,
    orientation: &Orientation,
) -> Result<Vec<Candidate>, AnnotateError> {
    let lesions = lesions_of(labels, Connectivity::TwentySix);
    let of_map = |key: String, lesion: Lesion| {
        Candidate::new(key, Annotation::new(lesion.class, Origin::Model), lesion.voxels)
    };
    let Some(table) = table else {
        let each = lesions.into_iter().zip(1..);
        return Ok(each.map(|(lesion, n)| of_map(format!("model:{n}"), lesion)).collect());
    };
    let mut regions = regions(&map_of(table), labels.grid(), orientation)?;
    let mut candidates = Vec::new();
    let mut taken = vec![false; lesions.len()];
    for row in rows(table)? {
        let Some(region) = regions.remove(&row.candidate) else { continue };
        let accepted = row.accepted == "yes";
        if !accepted && row.lesion_probability < LEAST_PROBABILITY {
            continue;
        }
        // A lesion's outline may leave out a part of its candidate's region.
        let shares = |voxels: &[usize]| region.iter().any(|at| voxels.binary_search(at).is_ok());
        let outlined = lesions.iter().position(|lesion| shares(&lesion.voxels));
        let outline = outlined.filter(|&n| accepted && !taken[n]);
        let (class, voxels) = match outline {
            Some(n) => {
                taken[n] = true;
                (lesions[n].class, lesions[n].voxels.clone())
            }
            None => (row.class, region),
        };
        let candidate = Candidate {
            key: format!("model:{}", row.candidate),
            said: Annotation::new(class, Origin::Model),
            voxels,
            probability: Some(row.lesion_probability),
            doubted: !accepted,
        };
        candidates.push((row.review_rank, candidate));
    }
    // The table is sorted by probability.
    let mut doubted = 0;
    candidates.retain(|(_, one)| {
        doubted += usize::from(one.doubted);
        !one.doubted || doubted <= MOST_REJECTED
    });
    candidates.sort_by_key(|(rank, _)| *rank);
    let mut candidates: Vec<Candidate> = candidates.into_iter().map(|(_, one)| one).collect();
    // What the label map has and the table does not: someone has drawn it since.
    for (n, lesion) in lesions.into_iter().enumerate().filter(|(n, _)| !taken[*n]) {
        candidates.push(of_map(format!("model:map{}", n + 1), lesion));
    }
    Ok(candidates)
}

/// The candidates of a table that a model did not call, on `grid` in RAS order, the most probable first.
///
/// # Errors
/// As [`read`].
pub fn rejected(
    table: &Path,
    grid: &Grid,
    orientation: &Orientation,
) -> Result<Vec<Candidate>, AnnotateError> {
    let mut regions = regions(&map_of(table), grid, orientation)?;
    let mut rows = rows(table)?;
    rows.retain(|row| row.accepted != "yes");
    rows.sort_by(|a, b| b.lesion_probability.total_cmp(&a.lesion_probability));
    let of_row = |row: Row| {
        Some(Candidate {
            key: format!("model:{}", row.candidate),
            said: Annotation::new(row.class, Origin::Model),
            voxels: regions.remove(&row.candidate)?,
            probability: Some(row.lesion_probability),
            doubted: true,
        })
    };
    Ok(rows.into_iter().filter_map(of_row).collect())
}

fn regions(
    path: &Path,
    grid: &Grid,
    orientation: &Orientation,
) -> Result<BTreeMap<i32, Vec<usize>>, AnnotateError> {
    let numbers = orientation.to_ras(&nifti::read_integers(path)?.volume);
    if !numbers.grid().same_as(grid) {
        return Err(AnnotateError::refused(format!(
            "this map of candidates is on another grid than the label map beside it; predict again: {}",
            path.display()
        )));
    }
    let mut regions: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    for (index, &number) in numbers.data().iter().enumerate().filter(|(_, number)| **number > 0) {
        regions.entry(number).or_default().push(index);
    }
    Ok(regions)
}

fn rows(path: &Path) -> Result<Vec<Row>, AnnotateError> {
    let fault = |error: csv::Error| {
        AnnotateError::refused(format!(
            "this table of candidates cannot be read ({error}); predict again: {}",
            path.display()
        ))
    };
    let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').from_path(path).map_err(fault)?;
    reader.deserialize().collect::<Result<_, _>>().map_err(fault)
}
