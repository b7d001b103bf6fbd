//! What can go wrong on the way of a subject or a dataset.

use std::path::PathBuf;

use deepmir_volume::Warning;

/// Why a subject or a dataset could not be worked through.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
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
    /// A table of subjects with a fault.
    #[error("{reason}: {}", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// The line and what is wrong with it.
        reason: String,
    },
    /// Results of other inputs that would be written over.
    #[error(
        "results{of} are here, which are made from other inputs; choose another folder, or allow to write over them \
         (--overwrite, in Python overwrite=True): {}", path.display()
    )]
    OtherResults {
        /// The sidecar that tells.
        path: PathBuf,
        /// ` of ` and the first input of those results, where it is known.
        of: String,
    },
    /// Subjects that are missing, or that must not be where they are.
    #[error("{reason}")]
    Subjects {
        /// Which subjects, and the remedy.
        reason: String,
    },
    /// Two visits that cannot be compared.
    #[error("{reason}")]
    Visits {
        /// Why, and the remedy.
        reason: String,
    },
    /// Warnings about a scan that are not to be tolerated.
    #[error("with --strict a warning is an error:\n  {}", warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))]
    Strict {
        /// What was noticed.
        warnings: Vec<Warning>,
    },
    /// More memory than there is.
    #[error(
        "{id} needs about {need_gb:.1} GB of memory and {limit_gb:.1} may be used: close other programs, or run it where \
         there is more; if it is no large scan, look at its voxel sizes and its brain mask"
    )]
    Memory {
        /// The scan.
        id: String,
        /// What it needs.
        need_gb: f64,
        /// What there is.
        limit_gb: f64,
    },
    /// Networks.
    #[error(transparent)]
    Net(#[from] deepmir_net::NetError),
    /// Models.
    #[error(transparent)]
    Model(#[from] deepmir_model::ModelError),
    /// Scans and their files.
    #[error(transparent)]
    Cases(#[from] deepmir_cases::CaseError),
    /// Something about lesions.
    #[error(transparent)]
    Lesion(#[from] deepmir_lesion::LesionError),
    /// Something about images.
    #[error(transparent)]
    Volume(#[from] deepmir_volume::VolumeError),
    /// Something about reconstruction.
    #[error(transparent)]
    Recon(#[from] deepmir_recon::ReconError),
    /// Something about pictures.
    #[error(transparent)]
    Report(#[from] deepmir_report::ReportError),
}

/// An error if there is any warning and none is tolerated.
pub(crate) fn tolerate(warnings: &[Warning], strict: bool) -> Result<(), PipelineError> {
    match strict && !warnings.is_empty() {
        true => Err(PipelineError::Strict { warnings: warnings.to_vec() }),
        false => Ok(()),
    }
}
