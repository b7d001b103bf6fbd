//! One subject's images, read and checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_lesion::LabelMap;
use deepmir_volume::nifti::{self, AffineSource, Header, HeaderNotes, Image, ReadOptions};
use deepmir_volume::{
    Grid, GridMismatch, Mask, Orientation, Volume, VolumeError, Warning, check_same_grid,
};

use crate::bids::{NoSwi, no_swi};
use crate::brain::{self, NotStripped};
use crate::constant::{check_not_blank, check_varies};
use crate::mask::BrainMask;
use crate::truth::check_in_brain;
use crate::{CaseError, Contrast, Modality, noticed, plausible, susceptibility, unknown};

const RESAMPLE: &str = "resample the second onto the first (with ANTs' antsApplyTransforms, FSL's flirt -applyxfm or \
                        nibabel's resample_from_to)";

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
    /// Where nobody knows whether there is a lesion, a mask beside the label map, where there is one.
    pub unknown: Option<PathBuf>,
    /// What the image in the place of the SWI shows, where that is said; else its name and sidecar tell.
    pub contrast: Option<Contrast>,
}

/// Where the brain mask of a case comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrainSource {
    /// A file.
    Given,
    /// The zeros around a skull-stripped image.
    Stripped,
    /// Found in a whole head by a [`FindBrain`].
    Found,
}

/// Finds the brain of a scan that is not skull-stripped and comes without a mask.
pub trait FindBrain: std::fmt::Debug + Send + Sync {
    /// The brain in an image of any contrast, on its grid, and what is to be told of it. `path` is what messages call the
    /// image.
    ///
    /// # Errors
    /// Why there is none, and what to do, in a sentence without the path.
    fn find(&self, image: &Volume<f32>, path: &Path) -> Result<BrainMask, String>;
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
    /// What the image in the place of the SWI shows; SWI where nothing tells.
    pub contrast: Contrast,
    /// The brain.
    pub brain: Mask,
    /// Where that comes from.
    pub brain_source: BrainSource,
    /// The true label map, where there is one.
    pub truth: Option<LabelMap>,
    /// Where nobody knows whether there is a lesion, where that is said; no labelled voxel.
    pub unknown: Option<Mask>,
    /// What was noticed in the files.
    pub warnings: Vec<Warning>,
}

impl CaseFiles {
    /// Reads the images of `inputs` (and the masks and the truth, where given) and checks that all share
    /// the first one's grid: the SWI's, where SWI is among the inputs.
    ///
    /// # Errors
    /// A missing modality, an unreadable file, different grids, a mask that is none (see [`BrainMask::of`]), no mask for an
    /// image that is not skull-stripped, or an image that cannot be what it was given for.
    pub fn read(&self, inputs: &[Modality], options: &ReadOptions) -> Result<Case, CaseError> {
        self.read_finding(inputs, options, None)
    }

    /// As [`CaseFiles::read`], the brain being found in an image that is not skull-stripped and has no mask.
    ///
    /// # Errors
    /// As [`CaseFiles::read`]; a brain that is not found.
    pub fn read_finding(
        &self,
        inputs: &[Modality],
        options: &ReadOptions,
        finder: Option<&dyn FindBrain>,
    ) -> Result<Case, CaseError> {
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
        let contrast = self.check_swi(&ordered)?;
        let mut warnings = Vec::new();
        // Headers first: a wrong grid is an error before minutes of reading.
        let header = nifti::read_header(reference)?;
        let reference_grid = *header.grid();
        let mut notes = HeaderNotes::default();
        notes.add(reference, &header);
        let beside = self.mask.iter().chain(&self.truth).chain(&self.unknown);
        for path in others.iter().copied().chain(beside) {
            let other = nifti::read_header(path)?;
            check_headers((reference, &header), (path, &other))?;
            notes.add(path, &other);
        }

        let Image { volume, header } = nifti::read_with(reference, options)?;
        notes.add(reference, &header);
        let mut images = BTreeMap::from([(ordered[0], volume)]);
        for (&modality, path) in ordered[1..].iter().zip(others) {
            let Image { volume, header } = nifti::read_with(path, options)?;
            notes.add(path, &header);
            images.insert(modality, volume.with_grid(reference_grid)?);
        }
        check_not_blank(ordered[0], &images[&ordered[0]], reference)?;
        let (found, brain_source) = match &self.mask {
            Some(path) => {
                let Image { volume, header } = nifti::read_with(path, options)?;
                notes.add(path, &header);
                (BrainMask::of(&volume, path)?, BrainSource::Given)
            }
            None => without_mask(&images[&ordered[0]], reference, finder)?,
        };
        let brain = found.brain.with_grid(reference_grid)?;
        warnings.extend(found.warnings);
        warnings.extend(self.check(&mut images, &brain)?);
        warnings.extend(notes.warnings());
        warnings.extend(noticed::beside(paths.iter().map(|path| path.as_path())));
        warnings.extend(noticed::not_fetched(paths.iter().map(|path| path.as_path())));
        let truth = match &self.truth {
            Some(path) => {
                let truth = LabelMap::read(path)?.0;
                warnings.extend(check_in_brain(&truth, &brain, path)?);
                Some(truth)
            }
            None => None,
        };
        let unknown = match &self.unknown {
            Some(path) => {
                let unknown = unknown::read_unknown(path)?;
                Some(unknown::of_scan(unknown, truth.as_ref(), &brain, reference_grid, path)?)
            }
            None => None,
        };
        let id = self.id.clone();
        Ok(Case { id, header, images, contrast, brain, brain_source, truth, unknown, warnings })
    }

    /// Checks that the images can be what they were given for, and brings susceptibility to ppm.
    fn check(
        &self,
        images: &mut BTreeMap<Modality, Volume<f32>>,
        brain: &Mask,
    ) -> Result<Vec<Warning>, CaseError> {
        let unnamed = PathBuf::new();
        let mut warnings = Vec::new();
        for (&modality, image) in images {
            let path = self.images.get(&modality).unwrap_or(&unnamed);
            check_varies(modality, image, brain, path)?;
            warnings.extend(match modality {
                Modality::Qsm => susceptibility::check(image, brain, path)?,
                Modality::Swi | Modality::T2w => plausible::check(modality, image, brain, path)?,
            });
        }
        Ok(warnings)
    }

    /// Checks images that are in memory as [`CaseFiles::read`] checks files: all of them, on the grid of `header`, which
    /// is the first one's. The paths of the files are what messages call them.
    ///
    /// # Errors
    /// As [`CaseFiles::read`].
    pub fn with_images(
        &self,
        header: Header,
        images: BTreeMap<Modality, Volume<f32>>,
        mask: Option<&Volume<f32>>,
        finder: Option<&dyn FindBrain>,
    ) -> Result<Case, CaseError> {
        let Some((reference, _)) = images.first_key_value() else {
            return Err(CaseError::NoInputs { id: self.id.clone() });
        };
        let grid = *header.grid();
        let unnamed = PathBuf::new();
        let name = |modality| self.images.get(&modality).unwrap_or(&unnamed);
        let (reference, mask_name) = (name(*reference), self.mask.as_ref().unwrap_or(&unnamed));
        let named = images.iter().map(|(&modality, image)| (name(modality), image));
        for (other, image) in named.chain(mask.map(|mask| (mask_name, mask))) {
            check_grid(reference, &grid, other, image.grid())?;
        }
        let moved =
            images.into_iter().map(|(modality, image)| Ok((modality, image.with_grid(grid)?)));
        let mut images = moved.collect::<Result<BTreeMap<_, _>, VolumeError>>()?;
        if let Some((&modality, image)) = images.first_key_value() {
            check_not_blank(modality, image, reference)?;
        }
        let (found, brain_source) = match (mask, images.first_key_value()) {
            (Some(mask), _) => (BrainMask::of(mask, mask_name)?, BrainSource::Given),
            (None, Some((_, image))) => without_mask(image, reference, finder)?,
            (None, None) => return Err(CaseError::NoInputs { id: self.id.clone() }),
        };
        let brain = found.brain.with_grid(grid)?;
        let contrast = self.check_swi(&images.keys().copied().collect::<Vec<_>>())?;
        let mut warnings = found.warnings;
        warnings.extend(self.check(&mut images, &brain)?);
        warnings.extend(header.warnings(reference));
        let id = self.id.clone();
        let (truth, unknown) = (None, None);
        Ok(Case { id, header, images, contrast, brain, brain_source, truth, unknown, warnings })
    }

    /// What the image in the place of the SWI shows.
    ///
    /// # Errors
    /// A projection or a phase image.
    pub(crate) fn check_swi(&self, inputs: &[Modality]) -> Result<Contrast, CaseError> {
        let swi = self.images.get(&Modality::Swi).filter(|_| inputs.contains(&Modality::Swi));
        let Some(path) = swi else { return Ok(Contrast::Swi) };
        let what = match no_swi(path) {
            None | Some(NoSwi::Magnitude) => return Ok(self.contrast()),
            Some(NoSwi::Projection) => "a projection over slices",
            Some(NoSwi::Phase) => "a phase image",
        };
        Err(CaseError::NoSwi { path: path.clone(), what })
    }

    /// What the image in the place of the SWI shows, as it was said or by its name and sidecar; SWI where nothing tells.
    pub fn contrast(&self) -> Contrast {
        if let Some(contrast) = self.contrast {
            return contrast;
        }
        match self.images.get(&Modality::Swi).and_then(|path| no_swi(path)) {
            Some(NoSwi::Magnitude) => Contrast::T2StarMagnitude,
            _ => Contrast::Swi,
        }
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

/// As [`check_grid`], by headers: those that say nothing of a place are told.
fn check_headers(
    (reference, reference_header): (&Path, &Header),
    (path, header): (&Path, &Header),
) -> Result<(), CaseError> {
    let placeless = |header: &Header| header.affine_source() == AffineSource::VoxelSizes;
    let remedy = match (placeless(reference_header), placeless(header)) {
        (false, true) => "the second has neither sform nor qform",
        (true, false) => "the first has neither sform nor qform",
        _ => RESAMPLE,
    };
    let known = remedy == RESAMPLE;
    let remedy = if known {
        remedy.to_owned()
    } else {
        format!(
            "{remedy}: copy the other's geometry into it, such as with `fslcpgeom`, if their voxels agree"
        )
    };
    check_grids((reference, reference_header.grid()), (path, header.grid()), !known, remedy)
}

fn check_grid(
    reference: &Path,
    reference_grid: &Grid,
    path: &Path,
    grid: &Grid,
) -> Result<(), CaseError> {
    Ok(check_same_grid((reference, reference_grid), (path, grid), RESAMPLE)?)
}

fn check_grids(
    (reference, reference_grid): (&Path, &Grid),
    (path, grid): (&Path, &Grid),
    placeless: bool,
    remedy: String,
) -> Result<(), CaseError> {
    if reference_grid.same_as(grid) {
        return Ok(());
    }
    let mismatch = GridMismatch {
        reference: reference.to_owned(),
        reference_grid: *reference_grid,
        other: path.to_owned(),
        other_grid: *grid,
        placeless,
        remedy,
    };
    Err(VolumeError::GridMismatch(Box::new(mismatch)).into())
}

/// The brain of an image without a mask: what is not zero, if it is skull-stripped, or what is found in it.
fn without_mask(
    image: &Volume<f32>,
    path: &Path,
    finder: Option<&dyn FindBrain>,
) -> Result<(BrainMask, BrainSource), CaseError> {
    let needs_mask = |reason| CaseError::NeedsMask { path: path.to_owned(), reason };
    match (brain::of_stripped(image), finder) {
        (Ok(brain::Stripped { brain, left_out_ml }), _) => {
            let warnings = brain::left_out(left_out_ml, path).into_iter().collect();
            Ok((BrainMask { brain, warnings }, BrainSource::Stripped))
        }
        (Err(reason), None) => Err(needs_mask(explain(&reason))),
        (Err(_), Some(finder)) => {
            let found = finder.find(image, path).map_err(needs_mask)?;
            Ok((found, BrainSource::Found))
        }
    }
}

fn explain(reason: &NotStripped) -> String {
    match reason {
        NotStripped::FewZeros => "the image is not zero outside the brain".to_owned(),
        NotStripped::Volume { millilitres } => {
            format!("its part that is not zero measures {millilitres:.0} mL, which is no brain")
        }
    }
}
