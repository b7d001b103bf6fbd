//! What the label map of a scan holds, and whether it fits the scan.

use std::collections::BTreeSet;
use std::path::Path;

use deepmir_lesion::{LabelMap, LesionClass, lesions_of};
use deepmir_volume::components::Connectivity;
use deepmir_volume::{Mask, Warning};

use crate::{CaseError, CaseFiles};

/// The classes of which a scan's label map has a lesion; none for a scan without a label map.
///
/// # Errors
/// A label map that cannot be read, or with values that stand for nothing.
pub fn lesion_classes(case: &CaseFiles) -> Result<BTreeSet<LesionClass>, CaseError> {
    let Some(path) = &case.truth else { return Ok(BTreeSet::new()) };
    let (labels, _) = LabelMap::read(path)?;
    Ok(LesionClass::ALL.into_iter().filter(|&class| labels.count_of(class) > 0).collect())
}

/// Checks that lesions lie in the brain: those outside are in no image that a network sees.
///
/// # Errors
/// If there are lesions and all of them lie outside.
pub(crate) fn check_in_brain(
    truth: &LabelMap,
    brain: &Mask,
    path: &Path,
) -> Result<Option<Warning>, CaseError> {
    let lesions = lesions_of(truth, Connectivity::TwentySix);
    let is_outside = |voxels: &[usize]| voxels.iter().all(|&voxel| !brain.data()[voxel]);
    let outside = lesions.iter().filter(|lesion| is_outside(&lesion.voxels)).count();
    match outside {
        0 => Ok(None),
        all if all == lesions.len() => {
            Err(CaseError::LesionsOutside { path: path.to_owned(), count: all })
        }
        some => {
            let message = format!(
                "{some} of {} lesions lie outside the brain mask, where a network sees nothing; look at label map and \
                 mask: {}",
                lesions.len(),
                path.display()
            );
            Ok(Some(Warning::new("lesions_outside_brain", message)))
        }
    }
}

#[cfg(test)]
mod tests {
    use deepmir_volume::{Affine, Grid, Volume};

    use super::*;

    #[test]
    fn lesions_outside_the_brain_mask_are_told() {
        let grid = Grid::new([9, 9, 9], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let brain = Volume::from_fn(grid, |[i, _, _]| i < 5);
        let path = Path::new("truth.nii.gz");
        let with = |voxels: &[[usize; 3]]| {
            let mut labels = LabelMap::empty(grid);
            for &voxel in voxels {
                labels.paint(&[grid.index(voxel)], LesionClass::Cmb);
            }
            check_in_brain(&labels, &brain, path)
        };
        assert_eq!(with(&[]).unwrap(), None);
        assert_eq!(with(&[[1, 1, 1], [4, 4, 4], [5, 4, 4]]).unwrap(), None, "one reaches in");
        let told = with(&[[1, 1, 1], [7, 7, 7]]).unwrap().unwrap();
        assert!(told.message.starts_with("1 of 2 lesions") && told.message.contains("truth.nii"));
        let told = with(&[[7, 7, 7]]).unwrap_err().to_string();
        assert!(told.contains("outside the brain mask") && told.contains("truth.nii"), "{told}");
    }
}
