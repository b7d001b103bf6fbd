//! Mimics, such as calcifications, and sites in the brain.

use std::path::PathBuf;

use deepmir_cases::CaseFiles;
use deepmir_lesion::{LabelMap, Lesion, LesionClass, Region, diameter_of_ball_mm};
use deepmir_volume::Grid;
use serde::Deserialize;

use crate::StudyError;
use crate::results::paired::{OfClass, Paired};
use deepmir_cases::beside_truth;

/// Sites, in the order of tables.
pub(crate) const SITES: [Region; 3] = [Region::Lobar, Region::Deep, Region::Infratentorial];

/// A mimic's blooming extends so far beyond its simulated radius.
const BLOOMING_MM: f64 = 1.5;

/// Lesions of one class at one site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SiteCounts {
    pub truth: usize,
    pub found: usize,
    pub false_positives: usize,
}

impl SiteCounts {
    pub(crate) fn of(
        truth: &OfClass<'_>,
        found: &OfClass<'_>,
        paired: &Paired,
    ) -> [Self; SITES.len()] {
        SITES.map(|region| {
            let here = |side: &OfClass<'_>, paired: &[bool], wanted: bool| {
                let there = side.iter().zip(paired);
                there
                    .filter(|((_, row), paired)| row.region == Some(region) && **paired == wanted)
                    .count()
            };
            let met = here(truth, &paired.truth, true);
            Self {
                truth: met + here(truth, &paired.truth, false),
                found: met,
                false_positives: here(found, &paired.found, false),
            }
        })
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.truth += other.truth;
        self.found += other.found;
        self.false_positives += other.false_positives;
    }
}

/// Structures that resemble a lesion, as a simulation lists them (`*_desc-sources_list.tsv` beside
/// the label map).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mimics {
    /// Whether there is a list.
    pub known: bool,
    list: Vec<Mimic>,
}

#[derive(Clone, Debug, PartialEq)]
struct Mimic {
    kind: String,
    place_mm: [f64; 3],
    radius_mm: f64,
    /// The class that it was predicted as.
    predicted: Option<LesionClass>,
}

#[derive(Deserialize)]
struct Source {
    kind: String,
    x_mm: f64,
    y_mm: f64,
    z_mm: f64,
    volume_mm3: f64,
}

impl Mimics {
    /// Those listed for a scan; none where there is no list.
    pub(crate) fn listed(files: &CaseFiles) -> Result<Self, StudyError> {
        let Some(path) = beside_truth(files, "desc-sources_list.tsv") else {
            return Ok(Self::default());
        };
        let fault = |error: csv::Error, path: &PathBuf| StudyError::Table {
            path: path.clone(),
            reason: error.to_string(),
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(b'\t')
            .from_path(&path)
            .map_err(|error| fault(error, &path))?;
        let mut list = Vec::new();
        for source in reader.deserialize() {
            let Source { kind, x_mm, y_mm, z_mm, volume_mm3 } =
                source.map_err(|error| fault(error, &path))?;
            if kind.parse::<LesionClass>().is_err() {
                let radius_mm = diameter_of_ball_mm(volume_mm3) / 2.0;
                list.push(Mimic { kind, place_mm: [x_mm, y_mm, z_mm], radius_mm, predicted: None });
            }
        }
        Ok(Self { known: true, list })
    }

    /// The kind of the mimic that a lesion lies on.
    pub(crate) fn at(&self, lesion: &Lesion, grid: &Grid) -> Option<&str> {
        self.list.iter().find(|mimic| mimic.is_at(lesion, grid)).map(|mimic| mimic.kind.as_str())
    }

    /// With the class that each was predicted as; true lesions next to one do not count.
    pub(crate) fn predicted(&self, found: &[Lesion], truth: &LabelMap) -> Self {
        let mut mimics = self.clone();
        for mimic in &mut mimics.list {
            let taken = found.iter().find(|lesion| {
                mimic.is_at(lesion, truth.grid())
                    && lesion.voxels.iter().all(|&voxel| truth.class_at(voxel).is_none())
            });
            mimic.predicted = taken.map(|lesion| lesion.class);
        }
        mimics
    }

    /// For each: its kind, and counts of mimics, of those predicted as CMB and as NHID.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&str, [usize; 3])> {
        self.list.iter().map(|mimic| {
            let predicted = |class| usize::from(mimic.predicted == Some(class));
            (mimic.kind.as_str(), [1, predicted(LesionClass::Cmb), predicted(LesionClass::Nhid)])
        })
    }
}

impl Mimic {
    fn is_at(&self, lesion: &Lesion, grid: &Grid) -> bool {
        lesion.voxels.iter().any(|&voxel| {
            let place = grid.position_mm(grid.voxel(voxel));
            let squares = (0..3).map(|axis| (place[axis] - self.place_mm[axis]).powi(2));
            squares.sum::<f64>().sqrt() <= self.radius_mm + BLOOMING_MM
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::Affine;

    #[test]
    fn a_calcification_called_a_microbleed_is_counted_and_a_true_lesion_beside_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let truth = folder.path().join("sub-01_seg-lesions_dseg.nii.gz");
        std::fs::write(
            folder.path().join("sub-01_desc-sources_list.tsv"),
            "kind\tx_mm\ty_mm\tz_mm\tvolume_mm3\tchi_ppm\tsite\n\
             CMB\t1\t1\t1\t8\t1.0\tlobar\n\
             calcification\t10\t10\t10\t4.19\t-1.0\tgm\n\
             calcification\t20\t10\t10\t4.19\t-1.0\tgm\n\
             calcification\t30\t10\t10\t4.19\t-1.0\tgm\n",
        )
        .unwrap();
        let files = CaseFiles {
            id: "sub-01".to_owned(),
            images: Default::default(),
            mask: None,
            truth: Some(truth),
            unknown: None,
            contrast: None,
        };
        let mimics = Mimics::listed(&files).unwrap();
        assert!(mimics.known);
        let grid = Grid::new([40, 20, 20], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let lesion = |class, voxel| Lesion::new(class, vec![grid.index(voxel)], &grid);
        let found = [
            lesion(LesionClass::Cmb, [12, 10, 10]),
            lesion(LesionClass::Nhid, [20, 12, 10]),
            lesion(LesionClass::Cmb, [30, 14, 10]),
        ];
        assert_eq!(mimics.at(&found[0], &grid), Some("calcification"));
        assert_eq!(mimics.at(&found[2], &grid), None, "4 mm away");
        let mut truth = LabelMap::empty(grid);
        let sum = |mimics: &Mimics| {
            mimics
                .counts()
                .fold([0; 3], |sum, (_, counts)| std::array::from_fn(|n| sum[n] + counts[n]))
        };
        assert_eq!(sum(&mimics.predicted(&found, &truth)), [3, 1, 1]);
        truth.paint(&found[1].voxels, LesionClass::Nhid);
        assert_eq!(sum(&mimics.predicted(&found, &truth)), [3, 1, 0]);

        let unlisted = CaseFiles { truth: None, ..files };
        assert!(!Mimics::listed(&unlisted).unwrap().known);
    }
}
