//! One scan, from raw echoes or maps to lesions on disk.
//!
//! [`process`] runs it from end to end. Its stages are [`reconstruct`], [`align_t2w`] and [`find_lesions`]; a
//! [`run`](crate::run) of a whole dataset calls the same, each only if something it depends on has changed.

use std::path::{Path, PathBuf};

use deepmir_cases::CaseFiles;
use deepmir_cases::outputs::check_not_written_over;

use crate::PipelineError;
pub use crate::align::{Aligned, align_t2w};
use crate::predict::{Prediction, Predictor, Written};
pub use crate::recon::ReconFolders;
use crate::recon::{ReconInput, ReconSettings, Reconstructed, reconstruct_to};

/// The source of a scan's images.
#[derive(Clone, Debug)]
pub enum ScanSource {
    /// Images on one grid.
    Maps(CaseFiles),
    /// Raw echoes, and perhaps a T2w image on any grid.
    Echoes(Box<EchoSource>),
}

/// Raw echoes, and how they are reconstructed.
#[derive(Clone, Debug)]
pub struct EchoSource {
    /// The files.
    pub input: ReconInput,
    /// The settings.
    pub settings: ReconSettings,
    /// The scan's name: what the names of its images begin with.
    pub id: String,
}

/// Progress of a scan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScanEvent<'a> {
    /// A step of the reconstruction begins.
    Reconstructing(&'a str),
    /// The echoes are reconstructed.
    Reconstructed(&'a Reconstructed),
    /// Slices that the networks have processed.
    Slices {
        /// Slices done.
        done: usize,
        /// All slices.
        total: usize,
    },
}

/// A scan whose lesions have been found and written.
#[derive(Debug)]
pub struct Processed {
    /// Its images.
    pub files: CaseFiles,
    /// What was found.
    pub prediction: Prediction,
    /// What was written.
    pub written: Written,
}

/// Processes a scan from end to end and writes everything into `folder`.
///
/// # Errors
/// As [`reconstruct`] and [`find_lesions`].
pub fn process(
    source: ScanSource,
    predictor: &mut Predictor,
    folder: &Path,
    events: &mut dyn FnMut(ScanEvent<'_>),
) -> Result<Processed, PipelineError> {
    let files = match source {
        ScanSource::Maps(files) => files,
        ScanSource::Echoes(source) => {
            let EchoSource { input, settings, id } = *source;
            check_not_written_over(input.given(), folder, &is_of_lesions)?;
            input.check_memory(&id)?;
            let (files, made) = reconstruct(&input, &settings, folder, &id, &mut |what| {
                events(ScanEvent::Reconstructing(what));
            })?;
            events(ScanEvent::Reconstructed(&made));
            files
        }
    };
    let (prediction, written) = find_lesions(predictor, &files, folder, &mut |done, total| {
        events(ScanEvent::Slices { done, total });
    })?;
    Ok(Processed { files, prediction, written })
}

/// Reconstructs raw echoes and aligns T2w to them ([`reconstruct_to`]); returns the images.
///
/// # Errors
/// As [`reconstruct_to`].
pub fn reconstruct<'a>(
    input: &ReconInput,
    settings: &ReconSettings,
    folders: impl Into<ReconFolders<'a>>,
    id: &str,
    progress: &mut dyn FnMut(&str),
) -> Result<(CaseFiles, Reconstructed), PipelineError> {
    let made = reconstruct_to(input, settings, folders, id, progress)?;
    let images = made.images().collect();
    let mask: Option<PathBuf> = Some(made.mask.clone());
    Ok((
        CaseFiles { id: id.to_owned(), images, mask, truth: None, unknown: None, contrast: None },
        made,
    ))
}

/// Whether a name is one of those of results about lesions.
fn is_of_lesions(name: &str) -> bool {
    ["seg-lesions", "desc-lesions"].iter().any(|entity| name.contains(entity))
}

/// Finds the lesions of a scan and writes them.
///
/// # Errors
/// As [`Predictor::predict`] and [`Predictor::write`].
pub fn find_lesions(
    predictor: &mut Predictor,
    files: &CaseFiles,
    folder: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(Prediction, Written), PipelineError> {
    let given = files.images.values().chain(&files.mask).map(PathBuf::as_path);
    check_not_written_over(given, folder, &is_of_lesions)?;
    let prediction = predictor.predict(files, progress)?;
    let written = predictor.write(&prediction, files, folder)?;
    Ok((prediction, written))
}
