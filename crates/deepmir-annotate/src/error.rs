//! What can go wrong.

use std::path::PathBuf;

/// Why a dataset could not be opened, marked or exported.
#[derive(Debug, thiserror::Error)]
pub enum AnnotateError {
    /// A file that is reached from the dataset and lies elsewhere.
    #[error(
        "{} is reached from the dataset and lies outside of it; only files below {} are shown: copy it \
         there, or open the folder that holds both", path.display(),
        roots.iter().map(|root| root.display().to_string()).collect::<Vec<_>>().join(" and ")
    )]
    Outside {
        /// The file.
        path: PathBuf,
        /// The folders that may be read.
        roots: Vec<PathBuf>,
    },
    /// A file or folder that cannot be read or written.
    #[error("cannot use ({source}): {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store does not work.
    #[error("the annotation store does not answer ({source}): {}", path.display())]
    Store {
        /// The database.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A file under the store's name that is something else.
    #[error(
        "this is no annotation store of deepmir and was left as it is; move it away, or mark into another --derivatives \
         folder: {}", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Something in the store that this program did not write.
    #[error("the annotation store holds something unreadable ({reason}): {}", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What.
        reason: String,
    },
    /// Marks that belong to another grid than the image has now.
    #[error(
        "{case} was marked on another grid than its image has now ({then} then, {now} now); bring the image \
         of then back, or mark it under another --derivatives folder: {}", path.display()
    )]
    OtherGrid {
        /// The case.
        case: String,
        /// The grid that was marked.
        then: String,
        /// The grid of the file.
        now: String,
        /// The image.
        path: PathBuf,
    },
    /// A name that cannot be a rater's.
    #[error(
        "{name:?} is no name of a rater: letters and digits, at most 32, since it becomes part of file names"
    )]
    Rater {
        /// The name.
        name: String,
    },
    /// Results of the program that are none, or of an earlier version.
    #[error("these results cannot be read ({reason}); make them again: {}", path.display())]
    Results {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Something else came in between.
    #[error("this case was changed in another window (it is at change {now}, not {seen})")]
    Conflict {
        /// What the window had seen.
        seen: u64,
        /// What there is.
        now: u64,
    },
    /// A request that makes no sense as things stand.
    #[error("{reason}")]
    Refused {
        /// What, and what to do.
        reason: String,
    },
    /// The scans of the dataset cannot be listed.
    #[error(transparent)]
    Case(#[from] deepmir_cases::CaseError),
    /// Something about lesions.
    #[error(transparent)]
    Lesion(#[from] deepmir_lesion::LesionError),
    /// Something about images.
    #[error(transparent)]
    Volume(#[from] deepmir_volume::VolumeError),
}

impl AnnotateError {
    /// A refusal in words.
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }
}
