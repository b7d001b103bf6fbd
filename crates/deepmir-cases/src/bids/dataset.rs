//! Label maps and brain masks of a derivatives folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::BidsName;
use super::walk::{images_below, sorted_entries};
use crate::CaseError;

/// Every lesion label map (`…seg-lesions…_dseg`) below a folder, by scan.
///
/// # Errors
/// A folder that cannot be read, or two maps for one scan.
pub fn label_maps(folder: &Path) -> Result<BTreeMap<String, PathBuf>, CaseError> {
    let mut maps = BTreeMap::new();
    for path in images_below(folder)? {
        let Some(name) = BidsName::parse(&path) else { continue };
        if name.suffix() != "dseg" || name.entity("seg").is_some_and(|seg| seg != "lesions") {
            continue;
        }
        if let Some(first) = maps.insert(name.scan(), path.clone()) {
            return Err(CaseError::TwoLabelMaps { scan: name.scan(), first, second: path });
        }
    }
    Ok(maps)
}

/// The brain masks (`…desc-brain_mask`) below a folder, by scan.
///
/// # Errors
/// A folder that cannot be read.
pub fn brain_masks(folder: &Path) -> Result<BTreeMap<String, PathBuf>, CaseError> {
    let masks = images_below(folder)?.into_iter().filter_map(|path| {
        let name = BidsName::parse(&path)?;
        let brain = name.suffix() == "mask" && name.entity("desc") == Some("brain");
        brain.then(|| (name.scan(), path))
    });
    Ok(masks.collect())
}

/// The one folder of a dataset's `derivatives/` that holds lesion label maps.
///
/// # Errors
/// If there is none, or more than one to choose from.
pub fn only_labels_folder(dataset: &Path) -> Result<PathBuf, CaseError> {
    let derivatives = dataset.join("derivatives");
    let mut found = Vec::new();
    if derivatives.is_dir() {
        for folder in sorted_entries(&derivatives)?.into_iter().filter(|path| path.is_dir()) {
            if !label_maps(&folder)?.is_empty() {
                found.push(folder);
            }
        }
    }
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(CaseError::NoLabels { path: derivatives }),
        several => Err(CaseError::SeveralLabels { folders: several.to_vec() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bids::tests::dataset;

    #[test]
    fn label_maps_and_masks_are_found() {
        let folder = dataset(&[
            "derivatives/truth/sub-01/anat/sub-01_seg-lesions_dseg.nii.gz",
            "derivatives/truth/sub-01/anat/sub-01_desc-brain_mask.nii.gz",
        ]);
        let labels = only_labels_folder(folder.path()).unwrap();
        assert!(label_maps(&labels).unwrap().contains_key("sub-01"));
        assert!(brain_masks(&labels).unwrap().contains_key("sub-01"));
    }

    #[test]
    fn no_label_maps_and_two_truths_are_told() {
        let empty = dataset(&["readme.txt"]);
        let two = dataset(&[
            "derivatives/a/sub-01_seg-lesions_dseg.nii",
            "derivatives/b/sub-01_seg-lesions_dseg.nii",
        ]);
        assert!(only_labels_folder(two.path()).unwrap_err().to_string().contains("--labels"));
        assert!(only_labels_folder(empty.path()).unwrap_err().to_string().contains("--labels"));
    }
}
