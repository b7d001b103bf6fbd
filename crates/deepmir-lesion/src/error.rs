//! Errors of reading, measuring and writing lesions.

use std::path::PathBuf;

/// Why lesions could not be read, matched or written.
#[derive(Debug, thiserror::Error)]
pub enum LesionError {
    /// A label map with values that stand for nothing.
    #[error(
        "{values} in a label map; there are 0 (background), 1 (CMB) and 2 (NHID): {}", path.display()
    )]
    LabelValues {
        /// The file.
        path: PathBuf,
        /// The values, with how many voxels hold each.
        values: String,
    },
    /// The volume could not be read.
    #[error(transparent)]
    Volume(#[from] deepmir_volume::VolumeError),
    /// A table that is no lesion table, or could not be read.
    #[error("not a lesion table ({reason}): {}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file could not be written.
    #[error("cannot write ({source}); nothing was left behind: {}", path.display())]
    Write {
        /// The file that was to be.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
