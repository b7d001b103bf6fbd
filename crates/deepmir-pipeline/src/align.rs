//! T2w onto the grid of maps that are there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_cases::outputs::{check_no_raw_data, check_not_written_over};
use deepmir_cases::{CaseFiles, Modality};
use deepmir_recon::output::{OutputContext, OutputNames, write_aligned};
use deepmir_volume::nifti::{self, ReadOptions};

use crate::PipelineError;
use crate::anatomy::Anatomy;
use crate::recon::{ReconSettings, align};

/// A T2w image that was brought to another grid.
pub struct Aligned {
    /// The aligned image.
    pub image: PathBuf,
    /// Every file, this too.
    pub written: Vec<PathBuf>,
}

/// Registers a T2w image to the first of a scan's maps and writes it beside what else is derived
/// from the scan, with the transform.
///
/// # Errors
/// Unreadable images, no brain to register in, a registration that failed, a full disk.
pub fn align_t2w(
    id: &str,
    images: &BTreeMap<Modality, PathBuf>,
    mask: Option<&PathBuf>,
    t2w: &Path,
    settings: &ReconSettings,
    read: &ReadOptions,
    folder: &Path,
) -> Result<Aligned, PipelineError> {
    let given = images.values().chain(mask).map(PathBuf::as_path).chain([t2w]);
    let is_written = |name: &str| {
        let rest = name.strip_prefix(id).unwrap_or_default();
        rest.starts_with("_T2w.") || rest.starts_with("_from-SWI_to-T2w_xfm.")
    };
    check_not_written_over(given, folder, &is_written)?;
    check_no_raw_data(folder, &is_written)?;
    let reference = images.first_key_value().map(|(&modality, _)| modality);
    let inputs: Vec<Modality> = reference.into_iter().collect();
    let files = CaseFiles {
        id: id.to_owned(),
        images: images.clone(),
        mask: mask.cloned(),
        truth: None,
        unknown: None,
        contrast: None,
    };
    let case = files.read_finding(&inputs, read, Some(&Anatomy::default()))?;
    let fixed = &case.images[&inputs[0]];
    let moving = nifti::read_with(t2w, read)?.volume;
    let (even, found) = align(&moving, fixed, &case.brain, settings)?;

    std::fs::create_dir_all(folder)
        .map_err(|source| PipelineError::Write { path: folder.to_owned(), source })?;
    let names = OutputNames { folder, stem: id };
    let sources = [t2w.display().to_string()];
    // The field plays no part in an aligned image.
    let context = OutputContext { header: &case.header, field_strength_t: 0.0, sources: &sources };
    let image = write_aligned(&even, "T2w", &names, &context)?;
    let stem = format!("{id}_from-SWI_to-T2w");
    found.transform.write(folder, &stem, fixed.grid(), moving.grid())?;
    let beside = [format!("{id}_T2w.json"), format!("{stem}_xfm.txt"), format!("{stem}_xfm.mat")];
    let written = beside.iter().map(|name| folder.join(name)).chain([image.clone()]).collect();
    Ok(Aligned { image, written })
}
