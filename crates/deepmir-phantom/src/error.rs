//! What can go wrong, with the file and the remedy.

use std::io;
use std::path::PathBuf;

use deepmir_cases::CaseError;
use deepmir_recon::ReconError;
use deepmir_volume::VolumeError;

/// Why a phantom could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PhantomError {
    /// A setting that cannot be simulated.
    #[error("{name} is {value} but must be {must_be}; change it in the configuration")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        must_be: &'static str,
    },
    /// A label map with numbers that have no known meaning.
    #[error(
        "{voxels} voxels have labels that are not in FreeSurfer's table ({labels}); give a \
         whole-brain map (aseg, aparc+aseg, SynthSeg, FastSurfer) or set these to a known number: {}",
        path.display()
    )]
    UnknownLabels {
        /// The file.
        path: PathBuf,
        /// Some of the numbers.
        labels: String,
        /// How many voxels have them.
        voxels: usize,
    },
    /// A label map that lacks what a head cannot be made without.
    #[error("the label map has {found} of {structure}; give a whole-brain map in millimetres: {}", path.display())]
    NotABrain {
        /// The file.
        path: PathBuf,
        /// What is missing.
        structure: &'static str,
        /// How much there is.
        found: String,
    },
    /// A folder without label maps.
    #[error("no NIfTI files in this folder; give one that holds FreeSurfer-numbered label maps: {}", path.display())]
    NoAnatomies {
        /// The folder.
        path: PathBuf,
    },
    /// A file or folder that cannot be read.
    #[error("cannot read ({source}): {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or folder that cannot be written.
    #[error("cannot write ({source}); nothing was left behind: {}", path.display())]
    Write {
        /// The file that was to be.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A finished subject that was made with other settings.
    #[error(
        "this subject was made with another seed, version or configuration; write to another \
         folder, or remove it to make it anew: {}", path.display()
    )]
    OtherSettings {
        /// The subject's record.
        path: PathBuf,
    },
    /// A scan that nothing can be put into.
    #[error(
        "there is no room for implants: {reason}; give a brain mask, or a scan of a whole brain"
    )]
    NoRoom {
        /// Why.
        reason: &'static str,
    },
    /// A text file that cannot be written.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// SWI and QSM could not be reconstructed.
    #[error("the simulated echoes could not be reconstructed: {0}")]
    Reconstruction(#[from] ReconError),
    /// An image could not be read, written or made.
    #[error(transparent)]
    Volume(#[from] VolumeError),
}
