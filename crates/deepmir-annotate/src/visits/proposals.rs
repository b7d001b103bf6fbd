//! What a program proposes of each lesion.

use std::path::Path;

use deepmir_lesion::{Change, LesionClass, MarsRegion};
use deepmir_volume::nifti;
use deepmir_volume::{Affine, Grid, Interpolation, Orientation, Volume, resample_moved};
use serde::Deserialize;

use super::{Sidecar, VisitFiles};
use crate::AnnotateError;
use crate::candidates::Candidate;
use crate::layer::{Annotation, Origin};

/// Places that the program calls no lesion are shown, too, if a change is at least so probable.
const LEAST_PROBABILITY: f64 = 0.1;
/// No ball around such a place is smaller or larger.
const RADIUS_MM: [f64; 2] = [1.0, 5.0];

#[derive(Deserialize)]
struct Row {
    lesion: u16,
    class: LesionClass,
    change: Change,
    probability: f64,
    mars_region: String,
    followup_x_mm: Option<f64>,
    followup_y_mm: Option<f64>,
    followup_z_mm: Option<f64>,
}

#[derive(Deserialize)]
struct PlaceRow {
    class: LesionClass,
    change: String,
    baseline_volume_mm3: Option<f64>,
    followup_volume_mm3: Option<f64>,
    followup_x_mm: Option<f64>,
    followup_y_mm: Option<f64>,
    followup_z_mm: Option<f64>,
    gone_probability: f64,
    new_probability: f64,
}

/// All proposals: changes first as the table orders them, then the most probable of the places that the program calls no
/// lesion, then what is stable. Keys are `lesion:N` by the number in the table of lesions and `place:N` by the line in that
/// of places.
pub(super) fn read(
    files: &VisitFiles,
    sidecar: &Sidecar,
    grid: &Grid,
    to_baseline: &Affine,
) -> Result<Vec<Candidate>, AnnotateError> {
    let names = sidecar.label_maps.as_ref().ok_or_else(|| AnnotateError::Results {
        path: files.sidecar.clone(),
        reason: "it does not name its label maps".to_owned(),
    })?;
    let beside = |name: &String| {
        // A name, not a way out of the folder.
        let name = Path::new(name).file_name().unwrap_or_default();
        files.sidecar.with_file_name(name)
    };
    let [before, now] = names.each_ref().map(|name| nifti::read(&beside(name)));
    let before = resample_moved(&before?.volume, grid, to_baseline, Interpolation::Nearest, 0.0);
    let now = now?.volume;
    if !Orientation::of(now.grid().affine()).grid_to_ras(now.grid()).same_as(grid) {
        return Err(AnnotateError::Results {
            path: files.sidecar.clone(),
            reason: "its label map is on another grid than the image".to_owned(),
        });
    }
    let now = Orientation::of(now.grid().affine()).to_ras(&now);

    let mut proposals = Vec::new();
    for row in rows::<Row>(&files.table(".tsv"))? {
        let map = if row.change.is_there(1) { &now } else { &before };
        let mut voxels = labelled(map, row.lesion);
        if voxels.is_empty() {
            // Smaller than a voxel of this grid.
            let place = [row.followup_x_mm, row.followup_y_mm, row.followup_z_mm];
            voxels = place_mm(place).map_or(Vec::new(), |place| ball(grid, place, RADIUS_MM[0]));
        }
        let region = MarsRegion::ALL.into_iter().find(|region| region.name() == row.mars_region);
        let said = Annotation {
            region,
            change: Some(row.change),
            ..Annotation::new(row.class, Origin::Model)
        };
        proposals.push(Candidate {
            probability: Some(row.probability),
            ..Candidate::new(format!("lesion:{}", row.lesion), said, voxels)
        });
    }
    let mut others = Vec::new();
    for (n, row) in rows::<PlaceRow>(&files.table("_candidates.tsv"))?.into_iter().enumerate() {
        let (change, probability, volume) = if row.new_probability >= row.gone_probability {
            (Change::New, row.new_probability, row.followup_volume_mm3)
        } else {
            (Change::Gone, row.gone_probability, row.baseline_volume_mm3)
        };
        let place = place_mm([row.followup_x_mm, row.followup_y_mm, row.followup_z_mm]);
        let (Some(place), "none") = (place, row.change.as_str()) else { continue };
        if probability < LEAST_PROBABILITY {
            continue;
        }
        let radius_mm = (volume.unwrap_or_default() * 0.75 / std::f64::consts::PI).cbrt();
        let voxels = ball(grid, place, radius_mm.clamp(RADIUS_MM[0], RADIUS_MM[1]));
        let said = Annotation { change: Some(change), ..Annotation::new(row.class, Origin::Model) };
        others.push(Candidate {
            probability: Some(probability),
            doubted: true,
            ..Candidate::new(format!("place:{}", n + 1), said, voxels)
        });
    }
    let probability = |one: &Candidate| one.probability.unwrap_or_default();
    others.sort_by(|a, b| probability(b).total_cmp(&probability(a)));
    proposals.extend(others);
    proposals.sort_by_key(|one| one.said.change == Some(Change::Stable));
    proposals.retain(|proposal| !proposal.voxels.is_empty());
    Ok(proposals)
}

fn rows<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>, AnnotateError> {
    let fault = |error: csv::Error| AnnotateError::Results {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let text = std::fs::read_to_string(path)
        .map_err(|source| AnnotateError::Io { path: path.to_owned(), source })?;
    // What is not known is nothing to `Option`.
    let text = text.replace("\tn/a", "\t");
    let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').from_reader(text.as_bytes());
    reader.deserialize().collect::<Result<Vec<T>, _>>().map_err(fault)
}

fn place_mm([x, y, z]: [Option<f64>; 3]) -> Option<[f64; 3]> {
    Some([x?, y?, z?])
}

fn labelled(map: &Volume<f32>, number: u16) -> Vec<usize> {
    let of = |&(_, value): &(usize, &f32)| *value == f32::from(number);
    map.data().iter().enumerate().filter(of).map(|(index, _)| index).collect()
}

/// The voxels whose middles lie within a ball, or the one nearest to its middle; none outside the image.
fn ball(grid: &Grid, centre_mm: [f64; 3], radius_mm: f64) -> Vec<usize> {
    let back = grid.affine().inverse();
    let middle = back.apply(centre_mm);
    let shape = grid.shape();
    if (0..3).any(|axis| !(-0.5..shape[axis] as f64 - 0.5).contains(&middle[axis])) {
        return Vec::new();
    }
    let sizes = grid.voxel_sizes_mm();
    let ends = [0, 1, 2].map(|axis| {
        let reach = radius_mm / sizes[axis];
        let low = (middle[axis] - reach).ceil().max(0.0) as usize;
        let high = (middle[axis] + reach).floor().max(0.0) as usize;
        (low, high.min(shape[axis] - 1))
    });
    let mut voxels = Vec::new();
    for k in ends[2].0..=ends[2].1 {
        for j in ends[1].0..=ends[1].1 {
            for i in ends[0].0..=ends[0].1 {
                let place = grid.position_mm([i, j, k]);
                let squared: f64 = (0..3).map(|axis| (place[axis] - centre_mm[axis]).powi(2)).sum();
                if squared <= radius_mm * radius_mm {
                    voxels.push(grid.index([i, j, k]));
                }
            }
        }
    }
    if voxels.is_empty() {
        voxels.push(grid.index(middle.map(|at| at.round().max(0.0) as usize)));
    }
    voxels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ball_has_its_volume_and_at_least_a_voxel() {
        let grid =
            Grid::new([40, 40, 20], Affine::from_spacing([0.5, 0.5, 1.0], [0.0; 3])).unwrap();
        let volume = ball(&grid, [10.0, 9.0, 8.0], 3.0).len() as f64 * 0.25;
        let expected = 4.0 / 3.0 * std::f64::consts::PI * 27.0;
        assert!((volume / expected - 1.0).abs() < 0.1, "{volume} for {expected}");
        assert_eq!(ball(&grid, [10.1, 9.1, 8.4], 0.2), [grid.index([20, 18, 8])]);
        assert!(ball(&grid, [100.0, 0.0, 0.0], 2.0).is_empty());
        // At the border, what is inside.
        assert!(!ball(&grid, [0.0, 0.0, 0.0], 2.0).is_empty());
    }
}
