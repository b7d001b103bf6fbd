//! What can go wrong, with the file and the remedy.

use std::path::PathBuf;

use deepmir_volume::VolumeError;

/// Why an anatomy could not be read, learned or found.
#[derive(Debug, thiserror::Error)]
pub enum AnatomyError {
    /// A setting that cannot be used.
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
         whole-brain map (aseg, aparc+aseg, SynthSeg, FastSurfer) or set these to a known number"
    )]
    UnknownLabels {
        /// Some of the numbers.
        labels: String,
        /// How many voxels have them.
        voxels: usize,
    },
    /// A label map that lacks what a head must have.
    #[error(
        "the label map has {found_ml:.1} ml of {tissue}; give a map of a whole brain in millimetres"
    )]
    NotABrain {
        /// What is missing.
        tissue: &'static str,
        /// How much there is.
        found_ml: f64,
    },
    /// Something is wrong with the content of a file.
    #[error("{source}: {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What.
        source: Box<AnatomyError>,
    },
    /// A file could not be written.
    #[error("cannot write ({source}); nothing was left behind: {}", path.display())]
    Write {
        /// The file that was to be.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A training that cannot be resumed.
    #[error("{reason}: {}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The loss became NaN or infinite.
    #[error(
        "the loss became infinite at step {step}; train with a lower learning_rate into another folder"
    )]
    Diverged {
        /// When.
        step: u64,
    },
    /// Volumes that do not fit the network.
    #[error(transparent)]
    Kernel(#[from] deepmir_kernels::KernelError),
    /// Weights that are not those of the network.
    #[error(transparent)]
    Net(#[from] deepmir_net::NetError),
    /// A volume could not be read or made.
    #[error(transparent)]
    Volume(#[from] VolumeError),
}
