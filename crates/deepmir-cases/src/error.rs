//! Errors of finding, reading and writing the files of scans.

use std::path::PathBuf;

use crate::Modality;

/// Why the files of a scan or a dataset could not be found, read or written. Where a message is about a file, its path
/// comes last.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// A file or folder could not be read.
    #[error("{}: {}", deepmir_volume::cannot_read(source, path), path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write ({source}); nothing was left behind: {}", path.display())]
    Write {
        /// The file that was to be.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Results would go where a file lies that was given, or that is raw data.
    #[error(
        "this would write over a file that was given, or over raw data; choose another folder or name for the \
         results: {}",
        path.display()
    )]
    WouldOverwrite {
        /// The file.
        path: PathBuf,
    },
    /// A folder that results must not go into.
    #[error("{reason}; nothing was written; choose another folder for the results: {}", path.display())]
    NoPlaceForResults {
        /// The folder.
        path: PathBuf,
        /// What it is.
        reason: String,
    },
    /// An image that was given as an SWI and is none.
    #[error("{what} is no SWI; give the SWI itself: {}", path.display())]
    NoSwi {
        /// The image.
        path: PathBuf,
        /// What its name or its sidecar says that it is.
        what: &'static str,
    },
    /// A file of nnU-Net with a fault.
    #[error("{reason}: {}", path.display())]
    Nnunet {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A folder without scans.
    #[error(
        "no scans in this folder; a BIDS dataset has sub-*/anat/ with *_acq-swi_T2starw, *_swi, \
         *_Chimap or *_T2w images: {}", path.display()
    )]
    NoScans {
        /// The folder.
        path: PathBuf,
    },
    /// Two images of one kind for one scan.
    #[error(
        "{scan} has two {modality} images; choose one with --filter {}=… (an entity that only one has, such as \
         acq-NAME or rec-none) or --bids-filter-file, set one aside, or give them run- entities:\n  {}\n  {}",
        crate::bids::Query::from(*modality).name(), first.display(), second.display()
    )]
    TwoImages {
        /// The scan.
        scan: String,
        /// The kind.
        modality: Modality,
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A file that says it belongs to another subject or session than its folder's.
    #[error(
        "its name and its folder are of different subjects or sessions; rename or move it: {}",
        path.display()
    )]
    WrongPlace {
        /// The file.
        path: PathBuf,
    },
    /// An echo with magnitude and no phase, or the reverse.
    #[error(
        "{scan} has an echo with one part only; give magnitude and phase (or real and imaginary) of \
         each: {}", path.display()
    )]
    HalfEcho {
        /// The scan.
        scan: String,
        /// The part that is there.
        path: PathBuf,
    },
    /// Two files for one part of one echo.
    #[error(
        "{scan} has the same part of an echo twice; choose a series with --filter echoes=acq-NAME or \
         --bids-filter-file, or set one aside:\n  {}\n  {}", first.display(), second.display()
    )]
    TwoEchoParts {
        /// The scan.
        scan: String,
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Two label maps for one scan.
    #[error(
        "{scan} has two label maps; set one aside, or name a folder with --labels that has one of them:\n  {}\n  {}",
        first.display(), second.display()
    )]
    TwoLabelMaps {
        /// The scan.
        scan: String,
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Two masks of unknown places for one label map.
    #[error(
        "a label map has two masks of unknown places; set one aside:\n  {}\n  {}", first.display(), second.display()
    )]
    TwoUnknownMasks {
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A mask of unknown places that is none.
    #[error("this is no mask of unknown places: {reason}: {}", path.display())]
    Unknown {
        /// The mask.
        path: PathBuf,
        /// What is wrong with it, and the remedy.
        reason: String,
    },
    /// No label maps to learn from.
    #[error(
        "no lesion label maps (*_seg-lesions_dseg.nii.gz) here{others}; name their folder with --labels: {}",
        path.display()
    )]
    NoLabels {
        /// Where they were looked for.
        path: PathBuf,
        /// Segmentations that are there and say by their names that they are something else, in parentheses.
        others: String,
    },
    /// Several folders with label maps.
    #[error("label maps in more than one folder; name one with --labels:\n  {}", join(folders))]
    SeveralLabels {
        /// The folders.
        folders: Vec<PathBuf>,
    },
    /// A table of subjects with a fault.
    #[error("{reason}: {}", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// The line and what is wrong with it.
        reason: String,
    },
    /// Subjects that do not exist, or that must not be in both of two lists.
    #[error("{reason}")]
    Subjects {
        /// Who, and what to do.
        reason: String,
    },
    /// A subject without an image that the network needs.
    #[error(
        "{id} has no {modality}, which this model needs; give it, or choose a model that does without"
    )]
    MissingModality {
        /// The subject.
        id: String,
        /// What is missing.
        modality: Modality,
    },
    /// A plan without inputs.
    #[error("no image of {id} was asked for")]
    NoInputs {
        /// The subject.
        id: String,
    },
    /// An image that says nothing: one value throughout the brain.
    #[error(
        "the {modality} has the value {value} in {share}; give the image itself, or leave it out if the model does \
         without: {}", path.display()
    )]
    Constant {
        /// The image.
        path: PathBuf,
        /// What it was given for.
        modality: Modality,
        /// The value.
        value: f32,
        /// Where it has it.
        share: String,
    },
    /// An image that is not skull-stripped came without a mask.
    #[error("a brain mask is needed ({reason}); give one with --mask: {}", path.display())]
    NeedsMask {
        /// The image.
        path: PathBuf,
        /// Why the brain was not recognised.
        reason: String,
    },
    /// A mask file without a voxel.
    #[error("the brain mask is empty; draw or compute it again: {}", path.display())]
    EmptyMask {
        /// The mask.
        path: PathBuf,
    },
    /// A mask file that is none.
    #[error("this is no brain mask: {reason}: {}", path.display())]
    Mask {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and the remedy.
        reason: String,
    },
    /// An image that cannot be what it was given for.
    #[error("{reason}: {}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and the remedy.
        reason: String,
    },
    /// A label map whose every lesion lies outside the brain.
    #[error(
        "none of the {count} lesions lies in the brain: all are outside the brain mask, so label map and mask (or image) \
         are of different scans or orientations; look at both: {}", path.display()
    )]
    LesionsOutside {
        /// The label map.
        path: PathBuf,
        /// Number of lesions.
        count: usize,
    },
    /// Something about lesions.
    #[error(transparent)]
    Lesion(#[from] deepmir_lesion::LesionError),
    /// Something about images.
    #[error(transparent)]
    Volume(#[from] deepmir_volume::VolumeError),
}

fn join(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join("\n  ")
}
