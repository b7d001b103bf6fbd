//! Microbleeds of the AIBL study.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use calamine::{Data, DataType, Reader, Xlsx, open_workbook};
use deepmir_volume::{Grid, Volume, nifti};

use super::{PublishedData, begin, create, link, listed, name_of};
use crate::StudyError;

/// Where an image of a person with microbleeds lies, and one of a person without.
const FOLDERS: [&str; 2] = ["rCMB_DefiniteSubject", "NoCMBSubject"];
/// The table of places.
const TABLE: &str = "rCMBInformationInfo.xlsx";
/// What is marked around each place: the data have no outlines.
const RADIUS_MM: f64 = 1.5;

/// Susceptibility-weighted images of the AIBL study with microbleeds, as CSIRO publishes them (Momeni et al., "Synthetic
/// microbleeds generation for classifier training without ground truth", 2021; doi:10.25919/aegy-ny12): a folder
/// `PublicDataShare_2020` with `rCMB_DefiniteSubject/*.nii.gz`, `NoCMBSubject/*.nii.gz`, and `rCMBInformationInfo.xlsx`: a row a
/// scan, the file's name and then x, y and z of each microbleed in voxels from 1. The images are skull-stripped. Those with
/// made-up microbleeds (`sCMB_…`) are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AiblData {
    scans: Vec<AiblScan>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct AiblScan {
    /// `122_T1`: what names of its files begin with.
    published: String,
    subject: String,
    session: String,
    swi: PathBuf,
    /// Of each microbleed, voxels from 0.
    places: Vec<[usize; 3]>,
}

impl AiblScan {
    fn id(&self) -> String {
        format!("sub-{}_ses-{}", self.subject, self.session)
    }

    fn folder(&self) -> PathBuf {
        PathBuf::from(format!("sub-{}/ses-{}/anat", self.subject, self.session))
    }
}

impl AiblData {
    /// Finds the scans in a folder, or in `PublicDataShare_2020` below it.
    ///
    /// # Errors
    /// A folder that cannot be read or has no scan; a scan whose name does not tell person and time, or with microbleeds
    /// that the table does not place; a table that cannot be read.
    pub fn find(folder: &Path) -> Result<Self, StudyError> {
        let places = ["", "PublicDataShare_2020", "data/PublicDataShare_2020"];
        let places = places.map(|below| folder.join(below));
        let Some(root) = places.iter().find(|place| place.join(FOLDERS[0]).is_dir()) else {
            let reason = format!(
                "no folder {} here; give the data set's folder PublicDataShare_2020",
                FOLDERS[0]
            );
            return Err(StudyError::Table { path: folder.to_owned(), reason });
        };
        let table = root.join(TABLE);
        let mut placed = read_table(&table)?;
        let mut scans: Vec<AiblScan> = Vec::new();
        for kind in FOLDERS {
            let folder = root.join(kind);
            if !folder.is_dir() {
                continue;
            }
            for swi in listed(&folder)? {
                let Some(name) = name_of(&swi).filter(|name| name.ends_with(".nii.gz")) else {
                    continue;
                };
                let fault = |path: &Path, reason: String| {
                    Err(StudyError::Table { path: path.to_owned(), reason })
                };
                let Some((subject, session)) = person_and_time(&name) else {
                    let reason = "names of this data set begin with the person's number and the time (122_T1_…); \
                                  take other files away";
                    return fault(&swi, reason.to_owned());
                };
                let places = match placed.remove(&name) {
                    Some(places) => places,
                    None if kind == FOLDERS[1] => Vec::new(),
                    None => return fault(&table, format!("there is no row of {name}")),
                };
                let published = format!("{subject}_{session}");
                if scans.iter().any(|scan| scan.published == published) {
                    return fault(&swi, format!("there are two images of {published}"));
                }
                scans.push(AiblScan { published, subject, session, swi, places });
            }
        }
        if scans.is_empty() {
            let reason = "no images (*.nii.gz) in its folders".to_owned();
            return Err(StudyError::Table { path: root.clone(), reason });
        }
        scans.sort_by_key(AiblScan::id);
        Ok(Self { scans })
    }
}

impl PublishedData for AiblData {
    /// Each place is marked as a ball of 1.5 mm radius.
    fn link(&self, dataset: &Path) -> Result<PathBuf, StudyError> {
        let truth = begin(dataset, "AIBL: cerebral microbleeds on SWI")?;
        for scan in &self.scans {
            let (id, folder) = (scan.id(), scan.folder());
            link(&scan.swi, &dataset.join(&folder).join(format!("{id}_swi.nii.gz")))?;
            let header = nifti::read_header(&scan.swi)?;
            let labels = marked(header.grid(), scan)?;
            let folder = truth.join(&folder);
            create(&folder)?;
            let path = folder.join(format!("{id}_seg-lesions_dseg.nii.gz"));
            nifti::write(&path, &labels, Some(&header))?;
        }
        Ok(truth)
    }

    fn names(&self) -> Vec<(String, String)> {
        self.scans.iter().map(|scan| (scan.published.clone(), scan.id())).collect()
    }
}

/// `122` and `T1` of `122_T1_MRI_SWI_BFC_50mm_HM.nii.gz`.
fn person_and_time(name: &str) -> Option<(String, String)> {
    let mut parts = name.split('_');
    let (subject, session) = (parts.next()?, parts.next()?);
    let is_label = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric());
    (is_label(subject) && is_label(session)).then(|| (subject.to_owned(), session.to_owned()))
}

/// Of each file, the voxels of its microbleeds, from 0.
fn read_table(path: &Path) -> Result<BTreeMap<String, Vec<[usize; 3]>>, StudyError> {
    let fault = |reason: String| StudyError::Table { path: path.to_owned(), reason };
    if !path.is_file() {
        return Err(fault(
            "this table of places belongs to the data set; copy it again".to_owned(),
        ));
    }
    let mut book: Xlsx<_> = open_workbook(path)
        .map_err(|error| fault(format!("cannot be read ({error}); copy it again")))?;
    let sheet = book.worksheet_range_at(0).ok_or_else(|| fault("it has no sheet".to_owned()))?;
    let sheet = sheet.map_err(|error| fault(format!("cannot be read ({error}); copy it again")))?;
    let mut found = BTreeMap::new();
    // The first row has the columns' names.
    for (n, row) in sheet.rows().enumerate().skip(1) {
        let Some(name) = row.first().and_then(Data::as_string) else { continue };
        let name = name.trim().to_owned();
        if name.is_empty() {
            continue;
        }
        let mut places = Vec::new();
        for cells in row[1..].chunks(3) {
            let numbers: Vec<f64> = cells.iter().filter_map(number).collect();
            match numbers[..] {
                [] => {}
                [x, y, z]
                    if [x, y, z].iter().all(|v| v.fract() == 0.0 && (1.0..1e6).contains(v)) =>
                {
                    places.push([x, y, z].map(|from_one| from_one as usize - 1));
                }
                _ => {
                    let reason = format!(
                        "row {}: a place is three whole numbers from 1, not {numbers:?}",
                        n + 1
                    );
                    return Err(fault(reason));
                }
            }
        }
        // Where a file has two rows, the first counts.
        found.entry(name).or_insert(places);
    }
    Ok(found)
}

/// Empty cells of the table hold spaces.
fn number(cell: &Data) -> Option<f64> {
    match cell {
        Data::Empty => None,
        Data::String(text) if text.trim().is_empty() => None,
        other => Some(other.as_f64().unwrap_or(f64::NAN)),
    }
}

/// The label map: 1 around each place.
fn marked(grid: &Grid, scan: &AiblScan) -> Result<Volume<u8>, StudyError> {
    let mut labels = Volume::filled(*grid, 0_u8);
    let reach = grid.voxel_sizes_mm().map(|size| (RADIUS_MM / size) as usize);
    let shape = grid.shape();
    for place in &scan.places {
        if (0..3).any(|axis| place[axis] >= shape[axis]) {
            let reason = format!(
                "the table has a microbleed at voxel {:?} of this image, which has {shape:?} voxels",
                place.map(|index| index + 1)
            );
            return Err(StudyError::Table { path: scan.swi.clone(), reason });
        }
        let centre = grid.position_mm(*place);
        let range = |axis: usize| {
            place[axis].saturating_sub(reach[axis])
                ..(place[axis] + reach[axis] + 1).min(shape[axis])
        };
        for k in range(2) {
            for j in range(1) {
                for i in range(0) {
                    let there = grid.position_mm([i, j, k]);
                    let square: f64 = (0..3).map(|n| (there[n] - centre[n]).powi(2)).sum();
                    if square <= RADIUS_MM * RADIUS_MM {
                        labels[[i, j, k]] = 1;
                    }
                }
            }
        }
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use deepmir_volume::Affine;

    use super::*;

    const XLSX: &[u8] = include_bytes!("../../tests/fixtures/aibl.xlsx");
    const FIRST: &str = "122_T1_MRI_SWI_BFC_50mm_HM.nii.gz";

    /// The data set with two scans with microbleeds and one without, of 24 × 24 × 12 voxels.
    fn data_set(folder: &Path) -> PathBuf {
        let root = folder.join("PublicDataShare_2020");
        let affine = Affine::from_spacing([0.9, 0.9, 1.75], [-10.0; 3]);
        let image = Volume::filled(Grid::new([24, 24, 12], affine).unwrap(), 1.0_f32);
        for (folder, name) in [
            (FOLDERS[0], FIRST),
            (FOLDERS[0], "122_T2_MRI_SWI_BFC_50mm_HM.nii.gz"),
            (FOLDERS[1], "7_T0_MRI_SWI_BFC_50mm_HM.nii.gz"),
        ] {
            fs::create_dir_all(root.join(folder)).unwrap();
            nifti::write(&root.join(folder).join(name), &image, None).unwrap();
        }
        fs::write(root.join(TABLE), XLSX).unwrap();
        root
    }

    #[test]
    fn places_of_the_table_become_balls_in_the_truth() {
        let folder = tempfile::tempdir().unwrap();
        data_set(folder.path());
        let data = AiblData::find(folder.path()).unwrap();
        let names: Vec<String> = data.names().into_iter().map(|(_, scan)| scan).collect();
        assert_eq!(names, ["sub-122_ses-T1", "sub-122_ses-T2", "sub-7_ses-T0"]);
        let bids = folder.path().join("bids");
        let truth = data.link(&bids).unwrap();
        data.link(&bids).unwrap();
        assert!(bids.join("sub-7/ses-T0/anat/sub-7_ses-T0_swi.nii.gz").exists());
        let labels = |subject: &str, session: &str| {
            let scan = format!("sub-{subject}_ses-{session}");
            let place = format!("sub-{subject}/ses-{session}/anat/{scan}_seg-lesions_dseg.nii.gz");
            nifti::read_integers(&truth.join(place)).unwrap().volume
        };
        let first = labels("122", "T1");
        // From one in the table, from zero here; the next slice is 1.75 mm away.
        let marked: Vec<[usize; 3]> = (0..first.grid().len())
            .filter(|&n| first.data()[n] == 1)
            .map(|n| first.grid().voxel(n))
            .collect();
        assert_eq!(marked.len(), 2 * 9);
        for (centre, reach) in [([8, 9, 5], 1), ([15, 7, 11], 1)] {
            let near = |voxel: &&[usize; 3]| {
                voxel[2] == centre[2] && (0..2).all(|n| voxel[n].abs_diff(centre[n]) <= reach)
            };
            assert_eq!(marked.iter().filter(near).count(), 9);
        }
        assert_eq!(labels("122", "T2").data().iter().sum::<i32>(), 9);
        assert_eq!(labels("7", "T0").data().iter().sum::<i32>(), 0);
    }

    #[test]
    fn what_does_not_fit_is_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |place: &Path| {
            let found = AiblData::find(place);
            found.and_then(|data| data.link(&place.join("bids"))).unwrap_err().to_string()
        };
        assert!(refused(folder.path()).contains("rCMB_DefiniteSubject"));
        let root = data_set(folder.path());
        let other = root.join(FOLDERS[0]).join("5_T1_MRI_SWI_BFC_50mm_HM.nii.gz");
        fs::copy(root.join(FOLDERS[0]).join(FIRST), &other).unwrap();
        assert!(refused(&root).contains("no row of 5_T1_"));
        fs::rename(&other, root.join(FOLDERS[1]).join("122_T1_again.nii.gz")).unwrap();
        assert!(refused(&root).contains("two images of 122_T1"));
        fs::rename(
            root.join(FOLDERS[1]).join("122_T1_again.nii.gz"),
            root.join(FOLDERS[1]).join("new-1.nii.gz"),
        )
        .unwrap();
        assert!(refused(&root).contains("new-1.nii.gz"));
        fs::remove_file(root.join(FOLDERS[1]).join("new-1.nii.gz")).unwrap();
        // A smaller image than the table's places need.
        let grid = Grid::new([12; 3], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        nifti::write(&root.join(FOLDERS[0]).join(FIRST), &Volume::filled(grid, 1.0_f32), None)
            .unwrap();
        let told = refused(&root);
        assert!(told.contains("[16, 8, 12]") && told.contains(FIRST), "{told}");
        fs::write(root.join(TABLE), b"no spreadsheet").unwrap();
        assert!(refused(&root).contains("copy it again"));
    }

    #[test]
    fn damaged_tables_are_refused_or_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TABLE);
        let mut state = 7_u64;
        for _ in 0..600 {
            let mut bytes = XLSX.to_vec();
            for _ in 0..4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (state >> 33) as usize % bytes.len();
                bytes[at] = (state >> 20) as u8;
            }
            bytes.truncate(XLSX.len() - (state >> 40) as usize % 40);
            fs::write(&path, &bytes).unwrap();
            // No panic, and the file is named.
            if let Err(error) = read_table(&path) {
                assert!(error.to_string().contains(TABLE));
            }
        }
    }
}
