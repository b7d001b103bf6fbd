//! Lesion label maps: which files are some, and those that look like it and are not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_volume::nifti;

use super::BidsName;
use super::walk::{images_below, sorted_entries};
use crate::CaseError;

/// The end of the name of a lesion label map that is no BIDS name, as `deepmir predict` makes it of `swi.nii.gz`.
const PLAIN_ENDING: &str = "_seg-lesions_dseg";
/// So many other segmentations are named in an error.
const NAMED: usize = 3;

/// Every lesion label map (`…seg-lesions…_dseg`) below a folder, by scan. Other segmentations (`*_dseg` of tissues or of
/// an atlas) are none. Where a scan has one in its own space, those in another `space-` are passed over: they are on
/// another grid.
///
/// # Errors
/// A folder that cannot be read, or two maps for one scan.
pub fn label_maps(folder: &Path) -> Result<BTreeMap<String, PathBuf>, CaseError> {
    let mut all: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in images_below(folder)? {
        if let Some(scan) = scan_of(&path) {
            all.entry(scan).or_default().push(path);
        }
    }
    let one_of = |(scan, mut maps): (String, Vec<PathBuf>)| {
        if maps.iter().any(|path| !is_elsewhere(path)) {
            maps.retain(|path| !is_elsewhere(path));
        }
        let mut maps = maps.into_iter();
        match (maps.next(), maps.next()) {
            (Some(first), Some(second)) => Err(CaseError::TwoLabelMaps { scan, first, second }),
            (Some(only), None) => Ok(Some((scan, only))),
            (None, _) => Ok(None),
        }
    };
    all.into_iter().filter_map(|maps| one_of(maps).transpose()).collect()
}

/// The scan that a lesion label map is of; `None` for any other file.
fn scan_of(path: &Path) -> Option<String> {
    match BidsName::parse(path) {
        Some(name) => {
            let lesions = name.suffix() == "dseg" && name.entity("seg") == Some("lesions");
            lesions.then(|| name.scan())
        }
        None => nifti::stem(path).strip_suffix(PLAIN_ENDING).map(str::to_owned),
    }
}

/// Whether a map says that it is not on its scan's own grid.
fn is_elsewhere(path: &Path) -> bool {
    BidsName::parse(path).is_some_and(|name| name.entity("space").is_some())
}

/// That there is no lesion label map here, with the segmentations that are there and are none.
pub fn no_label_maps(folder: &Path) -> CaseError {
    CaseError::NoLabels { path: folder.to_owned(), others: other_segmentations(folder) }
}

/// The segmentations below a folder that are no lesion label maps by their names, in parentheses; empty without any.
pub fn other_segmentations(folder: &Path) -> String {
    let files = images_below(folder).unwrap_or_default();
    let named = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let other = |path: &PathBuf| {
        let stem = nifti::stem(path);
        (stem.ends_with("dseg") || stem.ends_with("_mask") && !stem.ends_with("brain_mask"))
            .then(|| named(path))
            .flatten()
    };
    let others: Vec<String> = files.iter().filter_map(other).collect();
    let more = if others.len() > NAMED { ", …" } else { "" };
    let first: Vec<&str> = others.iter().take(NAMED).map(String::as_str).collect();
    if first.is_empty() {
        return String::new();
    }
    format!(
        " ({}{more} may show anything, such as tissues; if it is lesions, 1 CMB and 2 NHID, give it a name with \
         seg-lesions)",
        first.join(", ")
    )
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
            match label_maps(&folder) {
                Ok(maps) if maps.is_empty() => {}
                // Which one it is of several folders is to be said first.
                Ok(_) | Err(CaseError::TwoLabelMaps { .. }) => found.push(folder),
                Err(error) => return Err(error),
            }
        }
    }
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(no_label_maps(&derivatives)),
        several => Err(CaseError::SeveralLabels { folders: several.to_vec() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bids::tests::dataset;

    const FMRIPREP: [&str; 3] = [
        "derivatives/fmriprep/sub-01/anat/sub-01_dseg.nii.gz",
        "derivatives/fmriprep/sub-01/anat/sub-01_desc-aseg_dseg.nii.gz",
        "derivatives/fmriprep/sub-01/anat/sub-01_space-MNI152NLin2009cAsym_dseg.nii.gz",
    ];

    #[test]
    fn label_maps_of_other_pipelines_are_no_lesions() {
        let manual = "derivatives/manual/sub-01/anat/sub-01_seg-lesions_dseg.nii.gz";
        let folder = dataset(&[&FMRIPREP[..], &[manual]].concat());
        assert_eq!(
            only_labels_folder(folder.path()).unwrap(),
            folder.path().join("derivatives/manual")
        );
        let alone = dataset(&FMRIPREP);
        let told = only_labels_folder(alone.path()).unwrap_err().to_string();
        for word in ["seg-lesions", "--labels", "sub-01_desc-aseg_dseg.nii.gz", "derivatives"] {
            assert!(told.contains(word), "{told}");
        }
        assert!(label_maps(&alone.path().join("derivatives/fmriprep")).unwrap().is_empty());
    }

    #[test]
    fn a_label_map_in_a_templates_space_is_not_the_scans_own() {
        let own = "truth/sub-01_seg-lesions_dseg.nii.gz";
        let folder = dataset(&[own, "truth/sub-01_space-MNI152_seg-lesions_dseg.nii.gz"]);
        assert_eq!(label_maps(folder.path()).unwrap()["sub-01"], folder.path().join(own));
        let only = dataset(&["sub-01_space-SWI_seg-lesions_dseg.nii.gz"]);
        assert_eq!(label_maps(only.path()).unwrap().len(), 1);
    }

    #[test]
    fn names_outside_the_standard_are_scans_too() {
        let folder = dataset(&["patient 7_seg-lesions_dseg.nii", "patient 7_dseg.nii"]);
        assert_eq!(label_maps(folder.path()).unwrap().keys().collect::<Vec<_>>(), ["patient 7"]);
    }

    #[test]
    fn two_truths_and_none_are_told() {
        let empty = dataset(&["readme.txt"]);
        assert!(only_labels_folder(empty.path()).unwrap_err().to_string().contains("--labels"));
        let two = dataset(&[
            "derivatives/a/sub-01_seg-lesions_dseg.nii",
            "derivatives/b/sub-01_seg-lesions_dseg.nii",
        ]);
        assert!(only_labels_folder(two.path()).unwrap_err().to_string().contains("--labels"));
        let raters = dataset(&[
            "derivatives/a/sub-01_seg-lesions_desc-anna_dseg.nii",
            "derivatives/a/sub-01_seg-lesions_desc-bert_dseg.nii",
        ]);
        let told = label_maps(raters.path()).unwrap_err().to_string();
        assert!(told.contains("two label maps") && told.contains("--labels"), "{told}");
    }
}
