//! Two visits of one person, read for what has changed: the cases are results of `deepmir compare`.
//!
//! The follow-up's grid is marked. The images of the visit before are resampled to it as the registration of the results
//! says, so that all panes show the same place.

mod dataset;
mod proposals;
pub mod sheet;
mod sidecar;

use std::path::{Path, PathBuf};

use deepmir_volume::nifti::{self, ReadOptions};
use deepmir_volume::{Affine, Grid, resample_moved_in_range};

use crate::AnnotateError;
use crate::candidates::Candidate;
use crate::case::ShownImage;
use crate::image_kind::ImageKind;
use crate::results::unchanged;
pub use sidecar::Sidecar;

/// The files of the visit before, and of what a program made of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitFiles {
    /// The results: `*_desc-visits.json`, beside the tables and label maps of the same comparison.
    pub sidecar: PathBuf,
    /// The images of the visit before.
    pub baseline: Vec<(ImageKind, PathBuf)>,
}

impl VisitFiles {
    /// Every file that is read.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.baseline.iter().map(|(_, path)| path).chain([&self.sidecar])
    }

    /// A table of the same results, by the end of its name.
    fn table(&self, ending: &str) -> PathBuf {
        let name = self.sidecar.to_string_lossy();
        PathBuf::from(format!("{}{ending}", name.strip_suffix(".json").unwrap_or(&name)))
    }
}

/// Two visits with what a program proposes.
#[derive(Clone, Debug)]
pub struct LoadedVisits {
    /// What the results say of both.
    pub sidecar: Sidecar,
    /// What became of each lesion, as the program sees it.
    pub proposals: Vec<Candidate>,
}

impl LoadedVisits {
    /// Reads the results, and the images of the visit before as they lie on the follow-up's grid (in RAS order).
    ///
    /// # Errors
    /// Images that have changed since they were compared, or files that cannot be read.
    pub fn read(files: &VisitFiles, grid: &Grid) -> Result<(Self, Vec<ShownImage>), AnnotateError> {
        let sidecar = Sidecar::read(&files.sidecar)?;
        let to_baseline = sidecar.followup_to_baseline(&files.sidecar)?;
        let sources = sidecar.baseline.sources.iter().chain(&sidecar.followup.sources);
        let sources: Vec<(PathBuf, &str)> = sources
            .map(|source| Ok((source.found(&files.sidecar)?, source.sha256.as_str())))
            .collect::<Result<_, AnnotateError>>()?;
        // Each file is decompressed, or summed up, by a thread of its own.
        let images = std::thread::scope(|scope| {
            let checks: Vec<_> =
                sources.iter().map(|(path, sum)| scope.spawn(|| unchanged(path, sum))).collect();
            let readers: Vec<_> = files
                .baseline
                .iter()
                .map(|(kind, path)| scope.spawn(|| moved(*kind, path, grid, &to_baseline)))
                .collect();
            for check in checks {
                check.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault))?;
            }
            let joined = readers
                .into_iter()
                .map(|one| one.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault)));
            joined.collect::<Result<Vec<_>, _>>()
        })?;
        let proposals = proposals::read(files, &sidecar, grid, &to_baseline)?;
        Ok((Self { sidecar, proposals }, images))
    }
}

/// An image of the visit before on the follow-up's grid.
fn moved(
    kind: ImageKind,
    path: &Path,
    grid: &Grid,
    to_baseline: &Affine,
) -> Result<ShownImage, AnnotateError> {
    let image = nifti::read_with(path, &ReadOptions { nan_to_zero: true })?.volume;
    let volume = resample_moved_in_range(&image, grid, to_baseline);
    Ok(ShownImage { kind, volume, window: [0.0, 1.0], resampled: true })
}
