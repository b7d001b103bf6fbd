//! What can go wrong, with the file and the remedy.

use std::io;
use std::path::PathBuf;

use deepmir_cases::CaseError;
use deepmir_lesion::LesionError;
use deepmir_volume::VolumeError;

/// Why DICOM files could not be read, or a dataset could not be made of them.
#[derive(Debug, thiserror::Error)]
pub enum DicomError {
    /// The operating system refused to open or read a file or folder.
    #[error("cannot read ({source}): {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system refused to make or rename a file or folder.
    #[error("cannot write ({source}): {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A DICOM file whose bytes contradict themselves.
    #[error("a damaged DICOM file: {reason}; copy or export it again: {}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A transfer syntax that is not read.
    #[error(
        "{syntax} is not read; decompress it first, such as with `gdcmconv --raw` or `dcmdjpeg`: {}",
        path.display()
    )]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Its name.
        syntax: String,
    },
    /// A zip archive, or a file in one, that cannot be unpacked.
    #[error("{reason}: {}", path.display())]
    Archive {
        /// The archive, or the file in it.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Images that make no volume.
    #[error("{reason}: {}", path.display())]
    Geometry {
        /// The first file of the series.
        path: PathBuf,
        /// What is wrong, with the numbers of the slices, and what to do.
        reason: String,
    },
    /// Phase values whose unit nothing tells.
    #[error(
        "phase from {least} to {most}, and nothing says its unit; export the series with its rescale \
         slope, or the real and imaginary images: {}", path.display()
    )]
    PhaseUnit {
        /// The smallest value, scaled.
        least: f32,
        /// The largest one.
        most: f32,
        /// The first file of the series.
        path: PathBuf,
    },
    /// There is nothing to import.
    #[error("{reason}: {}", path.display())]
    NothingToImport {
        /// What was given.
        path: PathBuf,
        /// What is there instead, and what to do.
        reason: String,
    },
    /// A table of subjects that says nothing clear.
    #[error("{reason}: {}", path.display())]
    Subjects {
        /// The table.
        path: PathBuf,
        /// The line, what is wrong and what to do.
        reason: String,
    },
    /// A key that hides nothing.
    #[error(
        "a key of {bytes} bytes can be guessed; use at least 16, such as of `openssl rand -hex 32`: {from}"
    )]
    ShortKey {
        /// Its length.
        bytes: usize,
        /// The file or the variable.
        from: String,
    },
    /// The operating system gave no random numbers.
    #[error("no random numbers for a key ({reason}); give one with --key")]
    NoRandomKey {
        /// Why.
        reason: String,
    },
    /// A subject is in the dataset already.
    #[error("sub-{label} is in the dataset already; remove its folder or choose another dataset: {}", path.display())]
    SubjectExists {
        /// The subject.
        label: String,
        /// Its folder.
        path: PathBuf,
    },
    /// A segmentation that no label map can be made of.
    #[error("{reason}: {}", path.display())]
    Segments {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Results of a prediction that are not whole.
    #[error("{reason}: {}", path.display())]
    Results {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The series of a result is not among the DICOM files.
    #[error("{reason}: {}", path.display())]
    NoSource {
        /// The result's label map.
        path: PathBuf,
        /// What was found instead, and what to do.
        reason: String,
    },
    /// A label map or lesion table that cannot be read.
    #[error(transparent)]
    Lesion(#[from] LesionError),
    /// The dataset is no place for results.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// A volume that cannot be made or written.
    #[error(transparent)]
    Volume(#[from] VolumeError),
}
