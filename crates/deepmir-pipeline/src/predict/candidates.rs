//! The table of candidates: every candidate with its score, accepted as a lesion or not.
//!
//! For raters who want to see what was nearly accepted, and for curves over all thresholds: the probability maps are the
//! networks' and do not hold the candidate classifier's scores.

use std::path::{Path, PathBuf};

use deepmir_lesion::{Candidate, Lesion, LesionClass, numbered};
use deepmir_volume::nifti::{self, Header};
use deepmir_volume::{Grid, Volume, atomic};
use serde::{Deserialize, Serialize};

use crate::PipelineError;

/// A row of the table: number in the label map, class, middle in RAS millimetres, volume, highest probability of
/// the maps, the candidate classifier's probability of a lesion, whether it was accepted, and its place in the order of
/// review.
#[derive(Serialize, Deserialize)]
struct Row {
    candidate: usize,
    class: LesionClass,
    x_mm: f64,
    y_mm: f64,
    z_mm: f64,
    volume_mm3: f64,
    max_probability: f32,
    lesion_probability: f32,
    accepted: Accepted,
    /// 0 in tables of earlier versions.
    #[serde(default)]
    review_rank: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Accepted {
    Yes,
    No,
}

/// The voxels of so many candidates in such a map, none without; or why it is not theirs.
pub fn voxels_of(numbers: &Volume<i32>, count: usize) -> Result<Vec<Vec<usize>>, String> {
    let mut voxels = vec![Vec::new(); count];
    for (index, &number) in numbers.data().iter().enumerate().filter(|(_, number)| **number != 0) {
        let place = usize::try_from(number - 1).ok().filter(|place| *place < count);
        voxels[place.ok_or_else(|| format!("there is no candidate {number}"))?].push(index);
    }
    match voxels.iter().position(Vec::is_empty) {
        Some(place) => Err(format!("candidate {} is nowhere", place + 1)),
        None => Ok(voxels),
    }
}

/// The label map that a table numbers the candidates of.
fn map_of(table: &Path) -> PathBuf {
    table.with_extension("nii.gz")
}

/// The place of each candidate in an order of review, from 1: those first of which a rater's word tells most, by the entropy of
/// their probability.
fn review_ranks(probabilities: &[f32]) -> Vec<usize> {
    let apart = |n: &usize| (probabilities[*n] - 0.5).abs();
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    // Entropy falls with the distance from one half; of equals the more probable comes first, as in the table.
    order.sort_by(|a, b| apart(a).total_cmp(&apart(b)));
    let mut ranks = vec![0; order.len()];
    for (rank, &n) in (1..).zip(&order) {
        ranks[n] = rank;
    }
    ranks
}

/// Writes a table of candidates, the most probable first, and beside it a label map of their numbers. The two files.
///
/// # Errors
/// If they cannot be written.
pub fn write(
    table: &Path,
    candidates: &[Candidate],
    accepted: &[bool],
    grid: &Grid,
    header: &Header,
) -> Result<[PathBuf; 2], PipelineError> {
    let mut sorted: Vec<(&Candidate, bool)> =
        candidates.iter().zip(accepted.iter().copied()).collect();
    sorted.sort_by(|(a, _), (b, _)| b.score().total_cmp(&a.score()));
    // More than enough; the number must fit the map's voxels.
    sorted.truncate(usize::from(u16::MAX));
    let mut writer = csv::WriterBuilder::new().delimiter(b'\t').from_writer(Vec::new());
    let fault = |error: &dyn std::fmt::Display| PipelineError::Table {
        path: table.to_owned(),
        reason: error.to_string(),
    };
    let scores: Vec<f32> = sorted.iter().map(|(candidate, _)| candidate.score()).collect();
    let numbered_and_ranked = (1..).zip(review_ranks(&scores));
    for ((number, review_rank), &(candidate, accepted)) in numbered_and_ranked.zip(&sorted) {
        let Lesion { class, centre_mm, volume_mm3, .. } = candidate.lesion;
        let rounded = |value: f64, steps: f64| (value * steps).round() / steps;
        let [x_mm, y_mm, z_mm] = centre_mm.map(|mm| rounded(mm, 100.0));
        let share = |probability: f32| rounded(f64::from(probability), 1e4) as f32;
        let row = Row {
            candidate: number,
            class,
            x_mm,
            y_mm,
            z_mm,
            volume_mm3: rounded(volume_mm3, 100.0),
            max_probability: share(candidate.peak_probability),
            lesion_probability: share(candidate.score()),
            accepted: if accepted { Accepted::Yes } else { Accepted::No },
            review_rank,
        };
        writer.serialize(row).map_err(|error| fault(&error))?;
    }
    let map = map_of(table);
    let numbers = numbered(sorted.iter().map(|(candidate, _)| &candidate.lesion), grid);
    nifti::write(&map, &numbers, Some(header))?;
    let text = writer.into_inner().map_err(|error| fault(&error))?;
    atomic::write(table, &text)
        .map_err(|source| PipelineError::Write { path: table.to_owned(), source })?;
    Ok([table.to_owned(), map])
}

/// The candidates of a table, their voxels from the label map beside it.
///
/// # Errors
/// A table that is none, or a map that is not there or not the table's.
pub fn read(table: &Path) -> Result<(Grid, Vec<Candidate>), PipelineError> {
    let fault = |reason: String| PipelineError::Table {
        path: table.to_owned(),
        reason: format!("{reason}; predict again"),
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .from_path(table)
        .map_err(|error| fault(error.to_string()))?;
    let rows: Result<Vec<Row>, _> = reader.deserialize().collect();
    let rows = rows.map_err(|error| fault(error.to_string()))?;
    let numbers = nifti::read_integers(&map_of(table))?.volume;
    let voxels = voxels_of(&numbers, rows.len()).map_err(fault)?;
    let grid = *numbers.grid();
    let candidates = rows.into_iter().zip(voxels).enumerate().map(|(n, (row, voxels))| {
        if row.candidate != n + 1 {
            return Err(fault(format!("candidate {} is out of order", row.candidate)));
        }
        let lesion = Lesion::new(row.class, voxels, &grid);
        let candidate = Candidate::new(lesion, row.max_probability, row.max_probability, &grid);
        Ok(Candidate { lesion_probability: Some(row.lesion_probability), ..candidate })
    });
    Ok((grid, candidates.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::Affine;

    #[test]
    fn what_is_least_sure_is_reviewed_first() {
        assert_eq!(review_ranks(&[0.99, 0.7, 0.45, 0.02]), [4, 2, 1, 3]);
        assert_eq!(review_ranks(&[0.75, 0.25]), [1, 2]);
    }

    #[test]
    fn candidates_come_back_with_class_probability_and_voxels() {
        let grid = Grid::new([20, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let candidate = |class, voxels, lesion_probability| {
            let candidate = Candidate::new(Lesion::new(class, voxels, &grid), 0.9, 0.9, &grid);
            Candidate { lesion_probability: Some(lesion_probability), ..candidate }
        };
        let found = [
            candidate(LesionClass::Cmb, vec![3, 4, 5], 0.25),
            candidate(LesionClass::Nhid, vec![12, 13], 0.75),
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub-01_desc-lesions_candidates.tsv");
        let any = folder.path().join("any.nii");
        nifti::write(&any, &Volume::filled(grid, 0_u8), None).unwrap();
        let header = nifti::read_header(&any).unwrap();
        let [_, map] = write(&path, &found, &[false, true], &grid, &header).unwrap();
        let (read_grid, back) = read(&path).unwrap();
        assert!(read_grid.same_as(&grid));
        assert_eq!(back, [found[1].clone(), found[0].clone()]);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().nth(2), Some("2\tCMB\t4.0\t0.0\t0.0\t3.0\t0.9\t0.25\tno\t2"));

        // A table of before there was an order of review.
        let earlier: Vec<&str> =
            text.lines().map(|line| line.rsplit_once('\t').unwrap().0).collect();
        std::fs::write(&path, earlier.join("\n")).unwrap();
        assert_eq!(read(&path).unwrap().1, back);

        let error_of = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(&path).unwrap_err().to_string()
        };
        assert!(error_of(&text.replace("2\tCMB", "3\tCMB")).contains("out of order"));
        assert!(error_of(&text.replace("\tno", "\tmaybe")).contains("predict again"));
        assert!(error_of("class\n").contains("candidates.tsv"));
        std::fs::write(&path, &text).unwrap();
        std::fs::remove_file(&map).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("candidates.nii.gz"));
    }
}
