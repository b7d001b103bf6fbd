//! Brain masks of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::BidsName;
use super::walk::images_below;
use crate::CaseError;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bids::tests::dataset;

    #[test]
    fn masks_are_found() {
        let folder = dataset(&[
            "derivatives/truth/sub-01/anat/sub-01_seg-lesions_dseg.nii.gz",
            "derivatives/truth/sub-01/anat/sub-01_desc-brain_mask.nii.gz",
        ]);
        assert!(brain_masks(folder.path()).unwrap().contains_key("sub-01"));
    }
}
