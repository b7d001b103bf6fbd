//! What can go wrong with cohorts.

use std::path::PathBuf;

use deepmir_lesion::LesionClass;
use deepmir_net::Modality;

/// Why a cohort could not be read, predicted or evaluated.
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
        "{scan} has two {modality} images; set one aside or give them run- entities:\n  {}\n  {}",
        first.display(), second.display()
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
        "{scan} has the same part of an echo twice; set one aside:\n  {}\n  {}", first.display(),
        second.display()
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
    #[error("{scan} has two label maps; set one aside:\n  {}\n  {}", first.display(), second.display())]
    TwoLabelMaps {
        /// The scan.
        scan: String,
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// No label maps to learn from.
    #[error("no lesion label maps (*_seg-lesions_dseg.nii.gz) here; name their folder with --labels: {}", path.display())]
    NoLabels {
        /// Where they were looked for.
        path: PathBuf,
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
    /// Subjects that were asked for and are not there, or must not be where they are.
    #[error("{reason}")]
    Subjects {
        /// Who, and what to do.
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
    /// Scans from which a second look cannot go on learning.
    #[error(
        "a second look goes on learning from two scans with lesions or more: give more labelled scans \
         (there are {scans}, with {})",
        counts(lesions)
    )]
    TooLittleToAdapt {
        /// How many scans there are.
        scans: usize,
        /// How many lesions of each class.
        lesions: Vec<(LesionClass, usize)>,
    },
    /// A study that cannot be done as its file has it.
    #[error("{reason}: {}", path.display())]
    Experiment {
        /// The study's file or folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Something about networks.
    #[error(transparent)]
    Net(#[from] deepmir_net::NetError),
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

fn join(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join("\n  ")
}

fn counts(lesions: &[(LesionClass, usize)]) -> String {
    let words = lesions.iter().map(|(class, count)| format!("{count} {class}"));
    words.collect::<Vec<_>>().join(", ")
}
