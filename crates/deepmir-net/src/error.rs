//! What can go wrong, with the file and the remedy.

use std::path::PathBuf;

use deepmir_cases::Modality;

/// Why a network could not be made, trained or used.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// A file could not be read.
    #[error("cannot read ({source}): {}", path.display())]
    Read {
        /// The file.
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
    /// Weights that are not those of the network.
    #[error("the weights do not fit the network: {reason}")]
    Weights {
        /// What differs.
        reason: String,
    },
    /// A brain mask without a voxel.
    #[error("the brain mask of {id} is empty")]
    NoBrain {
        /// The subject.
        id: String,
    },
    /// A brain mask that spans more than a head.
    #[error(
        "the brain of {id} spans {:.0} × {:.0} × {:.0} mm, more than any head; look at its mask and at the voxel sizes",
        extent_mm[0], extent_mm[1], extent_mm[2]
    )]
    NoHead {
        /// The subject.
        id: String,
        /// Its extent.
        extent_mm: [f64; 3],
    },
    /// An image without contrast in the brain.
    #[error(
        "the {modality} of {id} has the same value nearly everywhere in the brain; look at the file"
    )]
    FlatImage {
        /// The subject.
        id: String,
        /// Which image.
        modality: Modality,
    },
    /// A training that cannot be resumed.
    #[error("{reason}: {}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// Label maps that nothing can be learned from or chosen on.
    #[error("{reason}: {}", path.display())]
    LabelMaps {
        /// One of them.
        path: PathBuf,
        /// What is missing, and what to do.
        reason: String,
    },
    /// The loss became NaN or infinite.
    #[error(
        "the loss became infinite at step {step}; train with a lower learning_rate into another \
         folder: {}", folder.display()
    )]
    Diverged {
        /// When.
        step: u64,
        /// The training's folder.
        folder: PathBuf,
    },
    /// The device failed.
    #[error("the device failed ({reason}); try --device cpu")]
    Device {
        /// The device's error.
        reason: String,
    },
    /// A configuration that contradicts itself.
    #[error("{reason}")]
    Config {
        /// What, and what to do.
        reason: String,
    },
    /// Candidates and operating points.
    #[error(transparent)]
    Detect(#[from] deepmir_detect::DetectError),
    /// Scans and their files.
    #[error(transparent)]
    Cases(#[from] deepmir_cases::CaseError),
    /// Images, label maps.
    #[error(transparent)]
    Volume(#[from] deepmir_volume::VolumeError),
    /// Label maps, tables.
    #[error(transparent)]
    Lesion(#[from] deepmir_lesion::LesionError),
}
