//! Images that say nothing: blank ones, and those of one value.

use std::path::Path;

use deepmir_volume::{Mask, Volume};

use crate::{CaseError, Modality};

/// More of the brain than this at one value leaves too little to find lesions in. Zeros are common in maps of
/// susceptibility whose own mask is smaller than the brain; that much is no margin.
const LARGEST_SHARE: f64 = 0.9;

/// Checks that an image is not the same in every voxel, before a brain is looked for in it.
///
/// # Errors
/// [`CaseError::Constant`], naming the file.
pub(crate) fn check_not_blank(
    modality: Modality,
    image: &Volume<f32>,
    path: &Path,
) -> Result<(), CaseError> {
    let value = image.data()[0];
    if image.data().iter().any(|&other| other != value) {
        return Ok(());
    }
    let share = "every voxel".to_owned();
    Err(CaseError::Constant { path: path.to_owned(), modality, value, share })
}

/// Checks that an image is not the same nearly everywhere in the brain.
///
/// # Errors
/// [`CaseError::Constant`], naming the file.
pub(crate) fn check_varies(
    modality: Modality,
    image: &Volume<f32>,
    brain: &Mask,
    path: &Path,
) -> Result<(), CaseError> {
    let inside = || {
        let voxels = image.data().iter().zip(brain.data());
        voxels.filter(|&(_, &inside)| inside).map(|(&value, _)| value)
    };
    // What more than half of the voxels have survives when different ones are struck out in pairs (Boyer and Moore 1981).
    let (mut candidate, mut lead, mut count) = (0.0, 0_usize, 0_usize);
    for value in inside() {
        count += 1;
        if lead == 0 {
            candidate = value;
        }
        if value == candidate { lead += 1 } else { lead -= 1 }
    }
    let same = inside().filter(|&value| value == candidate).count();
    if count == 0 || (same as f64) <= LARGEST_SHARE * count as f64 {
        return Ok(());
    }
    let share = if same == count {
        "all of the brain".to_owned()
    } else {
        format!("{:.0} % of the brain", (100.0 * same as f64 / count as f64).min(99.0))
    };
    Err(CaseError::Constant { path: path.to_owned(), modality, value: candidate, share })
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Grid};

    #[test]
    fn an_image_of_one_value_is_refused() {
        let grid = Grid::new([10; 3], Affine::from_spacing([1.0; 3], [-5.0; 3])).unwrap();
        let brain = Volume::from_fn(grid, |[_, _, k]| k > 0);
        let told = |value: &dyn Fn([usize; 3]) -> f32| {
            let image = Volume::from_fn(grid, value);
            let outcome = check_varies(Modality::Qsm, &image, &brain, Path::new("chi.nii"));
            outcome.map_err(|error| error.to_string())
        };
        let message = told(&|[_, _, k]| if k > 0 { 0.25 } else { 7.0 }).unwrap_err();
        assert!(
            message.starts_with("the QSM has the value 0.25 in all of the brain; "),
            "{message}"
        );
        assert!(message.ends_with("chi.nii"), "{message}");
        let message = told(&|[i, j, _]| if i + j == 0 { 1.0 } else { 0.0 }).unwrap_err();
        assert!(message.starts_with("the QSM has the value 0 in 99 % of the brain"), "{message}");
        let blank = Volume::filled(grid, 0.0);
        let message =
            check_not_blank(Modality::Swi, &blank, Path::new("swi.nii")).unwrap_err().to_string();
        assert!(message.starts_with("the SWI has the value 0 in every voxel; "), "{message}");
        assert_eq!(told(&|[i, _, _]| if i < 2 { 1.0 } else { 0.0 }), Ok(()));
        assert_eq!(told(&|[i, j, k]| (i * 100 + j * 10 + k) as f32), Ok(()));
    }
}
