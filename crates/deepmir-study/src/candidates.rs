//! The table of candidates: everything that a second look looked at, called a lesion or not.
//!
//! For raters who want to see what was nearly called, and for curves over all thresholds
//! ([`evaluate`](crate::evaluate)): the probability maps are the networks' and do not know what the second look
//! thought of them.

use std::path::Path;

use deepmir_lesion::{Candidate, DetectionRule, LesionClass, ProbabilityMaps};
use deepmir_volume::atomic;

use crate::StudyError;

const HEADER: &str = "class\tx_mm\ty_mm\tz_mm\tvolume_mm3\tlesion_probability\tcalled\textent";

/// Writes `…_desc-lesions_candidates.tsv`: class, middle in RAS millimetres, volume, probability of being a lesion,
/// whether it was called one, and the probability of the maps from which on voxels make it up.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write(
    path: &Path,
    candidates: &[Candidate],
    rule: &DetectionRule,
) -> Result<(), StudyError> {
    let mut text = format!("{HEADER}\n");
    for candidate in candidates {
        let lesion = &candidate.lesion;
        let [x, y, z] = lesion.centre_mm;
        text += &format!(
            "{}\t{x:.2}\t{y:.2}\t{z:.2}\t{:.2}\t{:.4}\t{}\t{}\n",
            lesion.class,
            lesion.volume_mm3,
            candidate.score(),
            if rule.passes(candidate) { "yes" } else { "no" },
            rule.extent,
        );
    }
    atomic::write(path, text.as_bytes())
        .map_err(|source| StudyError::Write { path: path.to_owned(), source })
}

/// The candidates of a table, their voxels from the probability maps beside it: of each row the region whose
/// middle is nearest.
///
/// # Errors
/// A table that is none, or not of these maps.
pub(crate) fn read(path: &Path, maps: &ProbabilityMaps) -> Result<Vec<Candidate>, StudyError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| StudyError::Read { path: path.to_owned(), source })?;
    let fault = |line: usize, reason: &str| StudyError::Table {
        path: path.to_owned(),
        reason: format!("line {line}: {reason}; predict again"),
    };
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(fault(1, "this is no table of candidates"));
    }
    let mut regions: Option<(f32, Vec<Candidate>)> = None;
    let mut candidates = Vec::new();
    for (number, row) in lines.enumerate().map(|(n, row)| (n + 2, row)) {
        let cells: Vec<&str> = row.split('\t').collect();
        let parsed = || -> Option<(LesionClass, [f64; 3], f32, f32)> {
            let &[class, x, y, z, _, probability, _, extent] = cells.as_slice() else {
                return None;
            };
            let place = [x.parse().ok()?, y.parse().ok()?, z.parse().ok()?];
            Some((class.parse().ok()?, place, probability.parse().ok()?, extent.parse().ok()?))
        };
        let Some((class, place, probability, extent)) = parsed() else {
            return Err(fault(number, "a class and seven more cells are needed"));
        };
        let (of_extent, regions) =
            regions.get_or_insert_with(|| (extent, maps.candidates(extent, None, None)));
        let apart = |candidate: &Candidate| -> f64 {
            let centre = candidate.lesion.centre_mm;
            (0..3).map(|axis| (centre[axis] - place[axis]).powi(2)).sum::<f64>().sqrt()
        };
        let nearest = regions.iter().min_by(|a, b| apart(a).total_cmp(&apart(b)));
        let Some(region) = nearest.filter(|region| apart(region) < NEAR_MM && *of_extent == extent)
        else {
            return Err(fault(number, "the probability maps have no such region"));
        };
        let mut candidate = region.clone();
        candidate.lesion.class = class;
        candidate.second_look = Some(probability);
        candidates.push(candidate);
    }
    Ok(candidates)
}

/// Maps are kept in steps, so that a region's middle may have moved a little.
const NEAR_MM: f64 = 3.0;

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_lesion::ClassThreshold;
    use deepmir_volume::{Affine, Grid, Volume};

    #[test]
    fn candidates_come_back_with_class_probability_and_voxels() {
        let grid = Grid::new([20, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let mut map = Volume::filled(grid, 0.0);
        for voxel in [3, 4, 5, 12, 13] {
            map.data_mut()[voxel] = 0.9;
        }
        let maps = ProbabilityMaps::new(vec![(LesionClass::Cmb, map)]).unwrap();
        let mut rule = DetectionRule::half(&[LesionClass::Cmb]);
        let threshold = ClassThreshold { peak: 0.4, min_volume_mm3: 0.0, min_height_mm: 0.0 };
        rule.classes.insert(LesionClass::Cmb, threshold);
        let mut found = maps.candidates(rule.extent, None, None);
        (found[0].second_look, found[1].second_look) = (Some(0.25), Some(0.75));
        found[1].lesion.class = LesionClass::Nhid;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub-01_desc-candidates.tsv");
        write(&path, &found, &rule).unwrap();
        assert_eq!(read(&path, &maps).unwrap(), found);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().nth(1), Some("CMB\t4.00\t0.00\t0.00\t3.00\t0.2500\tno\t0.5"));

        let told = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(&path, &maps).unwrap_err().to_string()
        };
        assert!(told(&text.replace("4.00", "9.00")).contains("no such region"));
        assert!(told(&text.replace("\tno", "")).contains("line 2"));
        assert!(told("class\n").contains("desc-candidates.tsv"));
    }
}
