//! Unknown places: where nobody knows whether there is a lesion. A mask beside the label map says where they are.

use std::path::{Path, PathBuf};

use deepmir_lesion::LabelMap;
use deepmir_volume::{Grid, Mask, nifti};

use crate::CaseError;
use crate::bids::{BidsName, sorted_entries};

/// The end of the name of a label map that is no BIDS name, and that of its unknown mask.
const PLAIN_ENDINGS: [&str; 2] = ["_seg-lesions_dseg", "_desc-unknown_mask"];

/// The mask of unknown places (`…_desc-unknown_mask`) of a label map's scan, in the folder of the label map; `None`
/// without one.
///
/// # Errors
/// A folder that cannot be read, or two such masks.
pub fn unknown_beside(label_map: &Path) -> Result<Option<PathBuf>, CaseError> {
    let folder = match label_map.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Some(of) = of_label_map(label_map) else { return Ok(None) };
    let mut found = sorted_entries(folder)?
        .into_iter()
        .filter(|path| nifti::is_nifti_name(path) && of_unknown_mask(path).as_ref() == Some(&of));
    match (found.next(), found.next()) {
        (Some(first), Some(second)) => Err(CaseError::TwoUnknownMasks { first, second }),
        (first, _) => Ok(first),
    }
}

/// Scan and space of a label map's name.
fn of_label_map(path: &Path) -> Option<(String, Option<String>)> {
    match BidsName::parse(path) {
        Some(name) => Some(scan_and_space(&name)),
        None => plain(path, PLAIN_ENDINGS[0]),
    }
}

/// Scan and space of the name of an unknown mask; `None` for any other file.
fn of_unknown_mask(path: &Path) -> Option<(String, Option<String>)> {
    match BidsName::parse(path) {
        Some(name) => {
            let unknown = name.suffix() == "mask" && name.entity("desc") == Some("unknown");
            unknown.then(|| scan_and_space(&name))
        }
        None => plain(path, PLAIN_ENDINGS[1]),
    }
}

fn scan_and_space(name: &BidsName) -> (String, Option<String>) {
    (name.scan(), name.entity("space").map(str::to_owned))
}

fn plain(path: &Path, ending: &str) -> Option<(String, Option<String>)> {
    nifti::stem(path).strip_suffix(ending).map(|scan| (scan.to_owned(), None))
}

/// Reads a mask of unknown places: 1 where nobody knows, 0 elsewhere.
///
/// # Errors
/// An unreadable file, or other values.
pub fn read_unknown(path: &Path) -> Result<Mask, CaseError> {
    let volume = nifti::read_integers(path)?.volume;
    let other = volume.data().iter().copied().find(|value| !(0..=1).contains(value));
    match other {
        Some(value) => Err(CaseError::Unknown {
            path: path.to_owned(),
            reason: format!("it has the value {value}; write 1 where nobody knows and 0 elsewhere"),
        }),
        None => Ok(volume.map(|&value| value == 1)),
    }
}

/// The unknown places of a scan on `grid`, which labelled lesions are no part of: what is labelled is known. `path` is what
/// messages call the mask.
///
/// # Errors
/// If nothing in the brain is known.
pub(crate) fn of_scan(
    unknown: Mask,
    truth: Option<&LabelMap>,
    brain: &Mask,
    grid: Grid,
    path: &Path,
) -> Result<Mask, CaseError> {
    let mut unknown = unknown.with_grid(grid)?;
    if let Some(truth) = truth {
        let labels = truth.volume().data();
        unknown.data_mut().iter_mut().zip(labels).for_each(|(place, label)| *place &= *label == 0);
    }
    let mut brain = brain.data().iter().zip(unknown.data());
    if brain.all(|(&inside, &unknown)| !inside || unknown) {
        let reason = "it covers the whole brain, so that nothing is known of the scan; are 0 and 1 exchanged?";
        return Err(CaseError::Unknown { path: path.to_owned(), reason: reason.to_owned() });
    }
    Ok(unknown)
}

#[cfg(test)]
mod tests {
    use deepmir_lesion::LesionClass;
    use deepmir_volume::{Affine, Volume};

    use super::*;
    use crate::bids::tests::dataset;

    #[test]
    fn the_mask_beside_a_label_map_is_that_of_its_scan() {
        let folder = dataset(&[
            "sub-01_ses-1_seg-lesions_dseg.nii.gz",
            "sub-01_ses-1_desc-unknown_mask.nii.gz",
            "sub-01_ses-1_desc-brain_mask.nii.gz",
            "sub-01_ses-1_space-MNI_desc-unknown_mask.nii.gz",
            "sub-01_ses-1_desc-unknown_mask.json",
            "sub-01_ses-2_seg-lesions_dseg.nii.gz",
            "p 7_seg-lesions_dseg.nii",
            "p 7_desc-unknown_mask.nii.gz",
        ]);
        let beside = |name: &str| {
            let found = unknown_beside(&folder.path().join(name)).unwrap();
            found.map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        };
        let found = beside("sub-01_ses-1_seg-lesions_dseg.nii.gz");
        assert_eq!(found.as_deref(), Some("sub-01_ses-1_desc-unknown_mask.nii.gz"));
        assert_eq!(beside("sub-01_ses-2_seg-lesions_dseg.nii.gz"), None);
        assert_eq!(
            beside("p 7_seg-lesions_dseg.nii").as_deref(),
            Some("p 7_desc-unknown_mask.nii.gz")
        );
        std::fs::write(folder.path().join("sub-01_ses-1_desc-unknown_mask.nii"), b"").unwrap();
        let two = unknown_beside(&folder.path().join("sub-01_ses-1_seg-lesions_dseg.nii.gz"));
        assert!(two.unwrap_err().to_string().contains("set one aside"));
    }

    #[test]
    fn only_zeros_and_ones_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a_desc-unknown_mask.nii.gz");
        let grid = Grid::new([4, 3, 2], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let mask = Volume::from_fn(grid, |[i, _, _]| u8::from(i == 2));
        nifti::write(&path, &mask, None).unwrap();
        assert_eq!(read_unknown(&path).unwrap().count(), 6);
        nifti::write(&path, &mask.map(|&value| 2 * value), None).unwrap();
        let told = read_unknown(&path).unwrap_err().to_string();
        assert!(told.contains("the value 2") && told.ends_with("mask.nii.gz"), "{told}");
    }

    #[test]
    fn what_is_labelled_is_known_and_something_must_be() {
        let grid = Grid::new([6, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let brain = Volume::from_fn(grid, |[i, _, _]| i > 0);
        let mut truth = LabelMap::empty(grid);
        truth.paint(&[2], LesionClass::Nhid);
        let (all, path) = (Volume::filled(grid, true), Path::new("unknown.nii"));
        let unknown = of_scan(all.clone(), Some(&truth), &brain, grid, path).unwrap();
        assert_eq!(unknown.data(), [true, true, false, true, true, true]);
        let told = of_scan(all, None, &brain, grid, path).unwrap_err().to_string();
        assert!(told.contains("exchanged") && told.ends_with("unknown.nii"), "{told}");
    }
}
