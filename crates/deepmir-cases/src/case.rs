//! One subject's images, read and checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_lesion::LabelMap;
use deepmir_volume::nifti::{self, Header, Image, ReadOptions};
use deepmir_volume::{Grid, GridMismatch, Mask, Orientation, Volume, VolumeError};

use crate::brain::{self, NotStripped};
use crate::{CaseError, Modality};

/// The paths of a scan's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFiles {
    /// Its name, such as `sub-01` or `sub-01_ses-2`.
    pub id: String,
    /// Its images.
    pub images: BTreeMap<Modality, PathBuf>,
    /// Its brain mask, where one is given.
    pub mask: Option<PathBuf>,
    /// Its true label map, where there is one.
    pub truth: Option<PathBuf>,
}

/// A subject's images in the orientation of its files, on one grid.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// The header of the image that defines the grid.
    pub header: Header,
    /// The images.
    pub images: BTreeMap<Modality, Volume<f32>>,
    /// The brain.
    pub brain: Mask,
    /// The true label map, where there is one.
    pub truth: Option<LabelMap>,
}

impl CaseFiles {
    /// Reads the images of `inputs` (and the truth and mask, where given) and checks that all share
    /// the first one's grid: the SWI's, where SWI is among the inputs.
    ///
    /// # Errors
    /// A missing modality, an unreadable file, different grids, a mask without a voxel, or no mask
    /// for an image that is not skull-stripped.
    pub fn read(&self, inputs: &[Modality], options: &ReadOptions) -> Result<Case, CaseError> {
        let mut ordered = inputs.to_vec();
        ordered.sort_unstable();
        let paths = ordered.iter().map(|&modality| {
            let path = self.images.get(&modality);
            path.ok_or_else(|| CaseError::MissingModality { id: self.id.clone(), modality })
        });
        let paths = paths.collect::<Result<Vec<_>, _>>()?;
        let Some((&reference, others)) = paths.split_first() else {
            return Err(CaseError::NoInputs { id: self.id.clone() });
        };
        // Headers first: a wrong grid is an error before minutes of reading.
        let reference_grid = *nifti::read_header(reference)?.grid();
        for path in others.iter().copied().chain(&self.mask).chain(&self.truth) {
            check_grid(reference, &reference_grid, path)?;
        }

        let Image { volume, header } = nifti::read_with(reference, options)?;
        let mut images = BTreeMap::from([(ordered[0], volume)]);
        for (&modality, path) in ordered[1..].iter().zip(others) {
            let volume = nifti::read_with(path, options)?.volume.with_grid(reference_grid)?;
            images.insert(modality, volume);
        }
        let brain = match &self.mask {
            Some(path) => read_mask(path)?.with_grid(reference_grid)?,
            None => brain::of_stripped(&images[&ordered[0]]).map_err(|reason| {
                CaseError::NeedsMask { path: reference.clone(), reason: explain(&reason) }
            })?,
        };
        let truth = match &self.truth {
            Some(path) => Some(LabelMap::read(path)?.0),
            None => None,
        };
        Ok(Case { id: self.id.clone(), header, images, brain, truth })
    }
}

impl Case {
    /// The grid of every image.
    pub fn grid(&self) -> &Grid {
        self.brain.grid()
    }

    /// The orientation of the files.
    pub fn orientation(&self) -> Orientation {
        Orientation::of(self.grid().affine())
    }
}

fn check_grid(reference: &Path, reference_grid: &Grid, path: &Path) -> Result<(), CaseError> {
    let grid = *nifti::read_header(path)?.grid();
    if reference_grid.same_as(&grid) {
        return Ok(());
    }
    let mismatch = GridMismatch {
        reference: reference.to_owned(),
        reference_grid: *reference_grid,
        other: path.to_owned(),
        other_grid: grid,
        remedy: "resample the second onto the first (with ANTs' antsApplyTransforms, FSL's flirt \
                 -applyxfm or nibabel's resample_from_to)"
            .to_owned(),
    };
    Err(VolumeError::GridMismatch(Box::new(mismatch)).into())
}

/// Reads a mask: every voxel that is not zero is inside.
fn read_mask(path: &Path) -> Result<Mask, CaseError> {
    let mask = nifti::read(path)?.volume.map(|&value| value != 0.0);
    if mask.count() == 0 {
        return Err(CaseError::EmptyMask { path: path.to_owned() });
    }
    Ok(mask)
}

fn explain(reason: &NotStripped) -> String {
    match reason {
        NotStripped::FewZeros => "the image is not zero outside the brain".to_owned(),
        NotStripped::Volume { millilitres } => {
            format!("its part that is not zero measures {millilitres:.0} mL, which is no brain")
        }
    }
}
