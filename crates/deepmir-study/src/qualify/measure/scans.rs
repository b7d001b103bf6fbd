//! The scans of a dataset, and their images: maps as they are, or reconstructed from raw echoes.

use std::path::{Path, PathBuf};

use deepmir_cases::bids::{self, Filters, Scan};
use deepmir_cases::{CaseFiles, Modality};
use deepmir_model::bundle::ModelSettings;
use deepmir_pipeline::recon::{ReconInput, ReconSettings};
use deepmir_pipeline::run::{Decision, Planner, ScanPlan, Source, fingerprint, subjects};
use deepmir_pipeline::scan::{align_t2w, reconstruct};
use deepmir_recon::input::ScanFiles;
use deepmir_volume::nifti::ReadOptions;

use super::truth::table_of;
use crate::StudyError;

/// A scan with implants.
#[derive(Clone, Debug)]
pub(crate) struct Implanted {
    /// Its images.
    pub scan: Scan,
    /// Its label map; no images.
    pub truth: CaseFiles,
}

/// Scans that were found, and those that cannot be used: name and reason.
pub(crate) type Found<T> = (Vec<T>, Vec<(String, String)>);

/// Every scan of some subjects of a dataset, or of all, by name.
pub(crate) fn scans_of(dataset: &Path, participants: &[String]) -> Result<Found<Scan>, StudyError> {
    let (mut scans, mut failed) = (Vec::new(), Vec::new());
    for subject in subjects(dataset, None, participants, &Filters::default())? {
        match subject.scans {
            Ok(found) => scans.extend(found),
            Err(reason) => failed.push((subject.id, reason)),
        }
    }
    Ok((scans, failed))
}

/// The scans of some subjects of a dataset, or of all, that have a table of implants beside their label map.
///
/// # Errors
/// A dataset without any.
pub(crate) fn implanted_of(
    dataset: &Path,
    participants: &[String],
) -> Result<Found<Implanted>, StudyError> {
    let (scans, failed) = scans_of(dataset, participants)?;
    let folder = dataset.join("derivatives/truth");
    let folder = if folder.is_dir() { folder } else { bids::only_labels_folder(dataset)? };
    let maps = bids::label_maps(&folder)?;
    let mut implanted = Vec::new();
    for scan in scans {
        let truth = CaseFiles {
            id: scan.id.clone(),
            images: Default::default(),
            mask: None,
            truth: bids::of_scan(&maps, &scan.id).cloned(),
            unknown: None,
            contrast: None,
        };
        if table_of(&truth).is_some() {
            implanted.push(Implanted { scan, truth });
        }
    }
    if implanted.is_empty() {
        let reason = format!(
            "no scan of this dataset has a table of implants (*_desc-sources_list.tsv) beside its label map; make \
             such a dataset with `deepmir implant`, or with `deepmir phantom`: {}",
            dataset.display()
        );
        return Err(StudyError::Subjects { reason });
    }
    Ok((implanted, failed))
}

/// Every file that the images of a scan are made from.
pub(crate) fn files_of(scan: &Scan) -> Vec<PathBuf> {
    let echoes = scan.echoes.iter().flatten().flat_map(|parts| <[&Path; 2]>::from(parts.paths()));
    let images: Vec<PathBuf> =
        scan.images.values().cloned().chain(echoes.map(Path::to_owned)).collect();
    let mut files = images.clone();
    for sidecar in images.iter().flat_map(|path| bids::sidecars(path)) {
        if !files.contains(&sidecar) {
            files.push(sidecar);
        }
    }
    files.extend(scan.mask.clone());
    files
}

/// How the images of a scan are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Making<'a> {
    pub recon: &'a ReconSettings,
    pub read: ReadOptions,
}

/// The images of a scan for a model, on one grid. Where there are raw echoes, SWI and QSM are reconstructed from them
/// into `folder`, and a T2w image on another grid is aligned there. `told` is called with each step, and with what
/// was noticed.
///
/// # Errors
/// What the model needs and is not there; a failing reconstruction.
pub(crate) fn images_of(
    scan: &Scan,
    model: &ModelSettings,
    making: Making<'_>,
    folder: &Path,
    told: &mut dyn FnMut(Told<'_>),
) -> Result<CaseFiles, StudyError> {
    let planner = Planner { models: vec![model] };
    let mut raw = scan.clone();
    raw.images.retain(|&modality, _| modality == Modality::T2w);
    let has_echoes = scan.echoes.as_ref().is_ok_and(|echoes| !echoes.is_empty());
    let mut plan = planner.plan(if has_echoes { &raw } else { scan });
    if has_echoes && !matches!(plan.decision, Decision::Predict { .. }) {
        plan = planner.plan(scan);
    }
    let ScanPlan { decision, reasons, warnings, .. } = plan;
    let Decision::Predict { source, .. } = decision else {
        return Err(StudyError::Subjects { reason: reasons.join("; ") });
    };
    warnings.iter().for_each(|warning| told(Told::Noticed(warning)));
    match source {
        Source::Echoes { echoes, t2w, mask } => {
            let input = ReconInput {
                files: ScanFiles { echoes, ..ScanFiles::default() },
                read: deepmir_recon::input::ReadOptions {
                    non_finite_as_zero: making.read.nan_to_zero,
                    ..Default::default()
                },
                mask,
                t2w,
                ..ReconInput::default()
            };
            input.check_memory(&scan.id)?;
            let step = &mut |step: &str| told(Told::Step(step));
            let (files, _) = reconstruct(&input, making.recon, folder, &scan.id, step)?;
            Ok(files)
        }
        Source::Maps { images, mask, t2w } => {
            let id = scan.id.clone();
            let mut files =
                CaseFiles { id, images, mask, truth: None, unknown: None, contrast: None };
            if let Some((path, is_needed)) = t2w {
                told(Told::Step("aligning T2w"));
                let (images, mask) = (&files.images, files.mask.as_ref());
                match align_t2w(&scan.id, images, mask, &path, making.recon, &making.read, folder) {
                    Ok(made) => {
                        files.images.insert(Modality::T2w, made.image);
                    }
                    Err(error) if is_needed && model.plan.needs(Modality::T2w) => {
                        return Err(error.into());
                    }
                    Err(error) => told(Told::Noticed(&format!("T2w left out: {error}"))),
                }
            }
            Ok(files)
        }
    }
}

/// What is told while images are made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told<'a> {
    /// A step begins.
    Step(&'a str),
    /// A warning.
    Noticed(&'a str),
}

/// Checksums of files.
pub(crate) use fingerprint::{InputFile, inputs as checksums, key as key_of};
