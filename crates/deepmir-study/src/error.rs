//! What can go wrong with evaluations and studies.

use std::path::PathBuf;

/// Why an evaluation or a study could not be done.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
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
    /// Subjects that are missing, or that must not be where they are.
    #[error("{reason}")]
    Subjects {
        /// Which subjects, and the remedy.
        reason: String,
    },
    /// A study that cannot be done as its file has it.
    #[error("{reason}: {}", path.display())]
    Experiment {
        /// The study's file or folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A finished copy that was made with other settings.
    #[error(
        "this copy was made with another seed, version, configuration or source; write to another folder, or remove it to \
         make it anew: {}", path.display()
    )]
    OtherSettings {
        /// The copy's record.
        path: PathBuf,
    },
    /// Simulated lesions.
    #[error(transparent)]
    Phantom(#[from] deepmir_phantom::PhantomError),
    /// A reconstruction.
    #[error(transparent)]
    Recon(#[from] deepmir_recon::ReconError),
    /// A subject on its way.
    #[error(transparent)]
    Pipeline(#[from] deepmir_pipeline::PipelineError),
    /// Models.
    #[error(transparent)]
    Model(#[from] deepmir_model::ModelError),
    /// Networks.
    #[error(transparent)]
    Net(#[from] deepmir_net::NetError),
    /// Scans and their files.
    #[error(transparent)]
    Cases(#[from] deepmir_cases::CaseError),
    /// Something about lesions.
    #[error(transparent)]
    Lesion(#[from] deepmir_lesion::LesionError),
    /// Something about images.
    #[error(transparent)]
    Volume(#[from] deepmir_volume::VolumeError),
    /// Something about pictures.
    #[error(transparent)]
    Report(#[from] deepmir_report::ReportError),
}
