//! What can go wrong with models.

use std::path::PathBuf;

use deepmir_lesion::LesionClass;

/// Why a model could not be read, made, used or changed.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file or folder could not be read.
    #[error("cannot read ({source}): {}", path.display())]
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
    /// A folder that is to be made is there, and is not empty.
    #[error("there is something here already; give a folder that does not exist yet: {}", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A model that cannot be used.
    #[error("not a usable model: {reason}: {}", path.display())]
    Bundle {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A configuration that contradicts itself.
    #[error("{reason}")]
    Config {
        /// What, and what to do.
        reason: String,
    },
    /// Too few lesions to choose a threshold on.
    #[error(
        "no class has {least} lesions in these scans, so no threshold can be chosen on them; give more labelled scans \
         (there are {})",
        counts(lesions)
    )]
    TooFewLesions {
        /// How many there are of each class.
        lesions: Vec<(LesionClass, usize)>,
        /// How many are needed.
        least: usize,
    },
    /// Scans that a candidate classifier cannot be fine-tuned on.
    #[error(
        "a candidate classifier is fine-tuned on two scans (of two patients) with lesions or more: give more labelled \
         scans (there are {scans}, with {})",
        counts(lesions)
    )]
    TooLittleToAdapt {
        /// How many patients there are scans of.
        scans: usize,
        /// How many lesions of each class.
        lesions: Vec<(LesionClass, usize)>,
    },
    /// Subjects that do not exist or must not be used as asked.
    #[error("{reason}")]
    Subjects {
        /// Which, and what to do.
        reason: String,
    },
    /// A network that was imported, or is to be.
    #[error("{source}: {file}")]
    Onnx {
        /// The ONNX file, or the model that it is in.
        file: String,
        /// Why.
        source: deepmir_onnx::OnnxError,
    },
    /// An error of a network.
    #[error(transparent)]
    Net(#[from] deepmir_net::NetError),
    /// An error in detection.
    #[error(transparent)]
    Detect(#[from] deepmir_detect::DetectError),
    /// An error in a scan's files.
    #[error(transparent)]
    Cases(#[from] deepmir_cases::CaseError),
    /// An error in lesions.
    #[error(transparent)]
    Lesion(#[from] deepmir_lesion::LesionError),
    /// An error in an image.
    #[error(transparent)]
    Volume(#[from] deepmir_volume::VolumeError),
}

fn counts(lesions: &[(LesionClass, usize)]) -> String {
    let words = lesions.iter().map(|(class, count)| format!("{count} {class}"));
    words.collect::<Vec<_>>().join(", ")
}
