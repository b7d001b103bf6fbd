//! What was implanted in a scan, and where nobody knows what is there.

use std::path::{Path, PathBuf};

use deepmir_cases::{CaseFiles, beside_truth};
use deepmir_lesion::{LabelMap, Lesion, LesionClass};
use deepmir_volume::{Grid, Mask, nifti};
use serde::Deserialize;

use crate::StudyError;
use crate::evaluate::same_grid;

/// A mimic's blooming reaches so far beyond its outline.
const BLOOMING_MM: f64 = 1.5;

/// A row of a scan's table of sources.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Source {
    pub kind: String,
    pub x_mm: f64,
    pub y_mm: f64,
    pub z_mm: f64,
    pub volume_mm3: f64,
    pub chi_ppm: f64,
    pub site: String,
    pub source_id: u32,
    pub diameter_mm: f64,
    pub n_voxels: usize,
}

impl Source {
    fn place_mm(&self) -> [f64; 3] {
        [self.x_mm, self.y_mm, self.z_mm]
    }
}

/// The truth of an implanted scan.
#[derive(Debug)]
pub(crate) struct ScanTruth {
    /// What was implanted and is there.
    pub sources: Vec<Source>,
    /// The voxels of each, in the same order.
    pub lesions: Vec<Lesion>,
    /// Where nobody knows what is there, on the images' grid; without such a mask, nowhere.
    pub unknown: Mask,
    /// The label map.
    pub path: PathBuf,
}

/// The table of a scan's sources, beside its label map.
pub(crate) fn table_of(files: &CaseFiles) -> Option<PathBuf> {
    beside_truth(files, "desc-sources_list.tsv")
}

impl ScanTruth {
    /// Reads label map, table and mask of an implanted scan.
    pub(crate) fn read(files: &CaseFiles) -> Result<Self, StudyError> {
        let (Some(path), Some(table)) = (&files.truth, table_of(files)) else {
            let reason = format!(
                "{} has no table of implants (*_desc-sources_list.tsv) beside its label map",
                files.id
            );
            return Err(StudyError::Subjects { reason });
        };
        let (labels, _) = LabelMap::read(path)?;
        let mut sources: Vec<Source> = crate::qualify::rows::read(&table)?;
        check(&sources, &table)?;
        // What vanished is not there to be found.
        sources.retain(|source| source.volume_mm3 > 0.0);
        let unknown = match beside_truth(files, "desc-unknown_mask.nii.gz") {
            Some(mask) => {
                let values = nifti::read_integers(&mask)?.volume;
                same_grid(path, labels.volume(), &mask, &values)?;
                values.map(|&value| value != 0)
            }
            None => labels.volume().map(|_| false),
        };
        let lesions = voxels(&sources, &labels);
        Ok(Self { sources, lesions, unknown, path: path.clone() })
    }
}

fn check(sources: &[Source], table: &Path) -> Result<(), StudyError> {
    let is_odd = |source: &&Source| {
        let numbers = [source.x_mm, source.y_mm, source.z_mm, source.chi_ppm];
        !(numbers.iter().all(|number| number.is_finite())
            && source.volume_mm3.is_finite()
            && source.volume_mm3 >= 0.0
            && source.diameter_mm.is_finite()
            && (source.volume_mm3 == 0.0 || source.diameter_mm > 0.0))
    };
    match sources.iter().find(is_odd) {
        Some(source) => Err(StudyError::Table {
            path: table.to_owned(),
            reason: format!("the numbers of source {} are none", source.source_id),
        }),
        None => Ok(()),
    }
}

/// The voxels of each source: of those of its class in the label map, the ones that lie nearest to its surface; of a
/// mimic, which is in no label map, those of its ball and blooming.
fn voxels(sources: &[Source], labels: &LabelMap) -> Vec<Lesion> {
    let grid = labels.grid();
    let classes: Vec<Option<LesionClass>> =
        sources.iter().map(|source| source.kind.parse().ok()).collect();
    let mut owned: Vec<Vec<usize>> = vec![Vec::new(); sources.len()];
    for (index, &label) in labels.volume().data().iter().enumerate().filter(|(_, l)| **l != 0) {
        let class = LesionClass::from_label(label);
        let place = grid.position_mm(grid.voxel(index));
        let beyond =
            |n: &usize| apart(place, sources[*n].place_mm()) - sources[*n].diameter_mm / 2.0;
        let same = (0..sources.len()).filter(|&n| classes[n] == class);
        if let Some(owner) = same.min_by(|a, b| beyond(a).total_cmp(&beyond(b))) {
            owned[owner].push(index);
        }
    }
    for (n, source) in sources.iter().enumerate().filter(|(n, _)| classes[*n].is_none()) {
        owned[n] = ball(source.place_mm(), source.diameter_mm / 2.0 + BLOOMING_MM, grid);
    }
    let class = |n: usize| classes[n].unwrap_or(LesionClass::Cmb);
    owned.into_iter().enumerate().map(|(n, owned)| Lesion::new(class(n), owned, grid)).collect()
}

/// The voxels whose centres lie in a ball, ascending.
fn ball(centre: [f64; 3], radius: f64, grid: &Grid) -> Vec<usize> {
    let middle = grid.affine().inverse().apply(centre);
    let sizes = grid.voxel_sizes_mm();
    let shape = grid.shape();
    // An oblique grid's axes are not the head's, but its voxels are as large.
    let reach = |axis: usize| {
        let steps = radius / sizes[axis] + 1.0;
        let end = |at: f64| at.clamp(0.0, shape[axis] as f64) as usize;
        end((middle[axis] - steps).floor())..end((middle[axis] + steps).ceil() + 1.0)
    };
    let (columns, rows, slices) = (reach(0), reach(1), reach(2));
    let voxels = slices.flat_map(|k| {
        let columns = columns.clone();
        rows.clone().flat_map(move |j| columns.clone().map(move |i| [i, j, k]))
    });
    let mut inside: Vec<usize> = voxels
        .filter(|&voxel| apart(grid.position_mm(voxel), centre) <= radius)
        .map(|voxel| grid.index(voxel))
        .collect();
    inside.sort_unstable();
    inside
}

fn apart(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|axis| (a[axis] - b[axis]).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Volume};

    fn source(kind: &str, source_id: u32, x_mm: f64, diameter_mm: f64) -> Source {
        Source {
            kind: kind.to_owned(),
            x_mm,
            y_mm: 0.0,
            z_mm: 0.0,
            volume_mm3: 4.2,
            chi_ppm: 0.5,
            site: "lobar".to_owned(),
            source_id,
            diameter_mm,
            n_voxels: 1,
        }
    }

    #[test]
    fn lesions_that_touch_are_shared_out_by_their_surfaces() {
        let grid = Grid::new([20, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        // A large one at 4 and a small one at 9 touch between 7 and 8; the other class is apart.
        let sources = [
            source("CMB", 1, 4.0, 7.0),
            source("CMB", 2, 9.0, 3.0),
            source("NHID", 3, 15.0, 2.0),
            source("calcification", 4, 17.0, 1.0),
        ];
        let mut labels = LabelMap::empty(grid);
        labels.paint(&(1..11).collect::<Vec<_>>(), LesionClass::Cmb);
        labels.paint(&[14, 15], LesionClass::Nhid);
        let lesions = voxels(&sources, &labels);
        assert_eq!(lesions[0].voxels, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(lesions[1].voxels, [8, 9, 10]);
        assert_eq!(lesions[2].voxels, [14, 15]);
        assert_eq!(lesions[3].voxels, [15, 16, 17, 18, 19]);
    }

    #[test]
    fn a_ball_is_one_on_an_oblique_grid_too() {
        let rows = [
            [0.0, -0.8, 0.0, 9.0],
            [0.6, 0.0, 0.5, -8.0],
            [-0.3, 0.0, 1.0, 2.0],
            [0.0, 0.0, 0.0, 1.0],
        ];
        let grid = Grid::new([30, 30, 30], Affine::from_rows(rows).unwrap()).unwrap();
        let centre = grid.position_mm([14, 15, 13]);
        let expected: Vec<usize> = (0..grid.len())
            .filter(|&index| apart(grid.position_mm(grid.voxel(index)), centre) <= 3.0)
            .collect();
        assert!(expected.len() > 50);
        assert_eq!(ball(centre, 3.0, &grid), expected);
        assert!(ball([1e6; 3], 3.0, &grid).is_empty());
    }

    #[test]
    fn a_scan_without_a_table_or_with_nonsense_in_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let grid = Grid::new([8, 8, 8], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let truth = folder.path().join("sub-01_seg-lesions_dseg.nii.gz");
        nifti::write(&truth, &Volume::filled(grid, 0_u8), None).unwrap();
        let files = CaseFiles {
            id: "sub-01".to_owned(),
            images: Default::default(),
            mask: None,
            unknown: None,
            contrast: None,
            truth: Some(truth),
        };
        let told = ScanTruth::read(&files).unwrap_err().to_string();
        assert!(told.contains("no table of implants"), "{told}");
        let table = folder.path().join("sub-01_desc-sources_list.tsv");
        let header =
            "kind\tx_mm\ty_mm\tz_mm\tvolume_mm3\tchi_ppm\tsite\tsource_id\tdiameter_mm\tn_voxels\n";
        let write = |row: &str| std::fs::write(&table, format!("{header}{row}\n")).unwrap();
        write("CMB\t1\t1\t1\t4\tNaN\tlobar\t1\t2\t3");
        let told = ScanTruth::read(&files).unwrap_err().to_string();
        assert!(told.contains("source 1") && told.contains("sources_list.tsv"), "{told}");
        write("CMB\t1\t1\tleft\t4\t1\tlobar\t1\t2\t3");
        let told = ScanTruth::read(&files).unwrap_err().to_string();
        assert!(told.contains("line 2") && told.contains("sources_list.tsv"), "{told}");
        write("CMB\t1\t1\t1\t0\t1\tlobar\t1\t0\t0");
        assert!(ScanTruth::read(&files).unwrap().sources.is_empty(), "it vanished");
    }
}
