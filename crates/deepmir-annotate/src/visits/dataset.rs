//! The cases among results of `deepmir compare`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_cases::bids::{self, BidsName};
use deepmir_cases::choose;
use deepmir_cases::outputs::check_derivatives_folder;

use super::{Sidecar, VisitFiles};
use crate::case::{CaseFiles, Dataset};
use crate::error::AnnotateError;
use crate::image_kind::ImageKind;

/// The end of a sidecar's name.
const ENDING: &str = "_desc-visits.json";
/// Folders in folders that are searched.
const MOST_DEPTH: usize = 8;

impl Dataset {
    /// Opens results of `deepmir compare`, or of `deepmir run` on subjects with several sessions: every pair of visits
    /// below `results` is a case, named after its follow-up. What readers say goes to `out`, or else to `reading` in the
    /// first of `results`.
    ///
    /// # Errors
    /// No results; those of earlier versions; images that are not there any more; two results of one scan; a folder that
    /// cannot be written to.
    pub fn from_visits(
        results: &[PathBuf],
        participants: &[String],
        sessions: &[String],
        out: Option<&Path>,
    ) -> Result<Self, AnnotateError> {
        let Some(first) = results.first() else {
            return Err(AnnotateError::refused("give a folder of results of `deepmir compare`"));
        };
        let mut sidecars = Vec::new();
        for folder in results {
            find(folder, MOST_DEPTH, &mut sidecars)?;
        }
        if sidecars.is_empty() {
            return Err(AnnotateError::refused(format!(
                "no results of `deepmir compare` (*{ENDING}) here: {}",
                first.display()
            )));
        }
        sidecars.sort();
        sidecars.dedup();
        let mut found = sidecars.iter().map(|path| case(path)).collect::<Result<Vec<_>, _>>()?;
        let mut seen: BTreeMap<String, &Path> = BTreeMap::new();
        for (files, sidecar) in found.iter().zip(&sidecars) {
            if let Some(other) = seen.insert(files.id.clone(), sidecar) {
                return Err(AnnotateError::refused(format!(
                    "two results are of {}: {} and {}; give one of them",
                    files.id,
                    other.display(),
                    sidecar.display()
                )));
            }
        }
        let label = |files: &CaseFiles, key: &str| {
            let part = files.id.split('_').find_map(|part| part.strip_prefix(key));
            part.map(str::to_owned)
        };
        let mut labelled: Vec<(String, Option<String>, CaseFiles)> = found
            .drain(..)
            .map(|files| {
                let subject = label(&files, "sub-").unwrap_or_else(|| files.id.clone());
                (subject, label(&files, "ses-"), files)
            })
            .collect();
        choose(
            &mut labelled,
            (participants, |(subject, _, _)| subject),
            (sessions, |(_, session, _)| session.as_deref()),
            first,
        )?;
        let cases: Vec<CaseFiles> = labelled.into_iter().map(|(_, _, files)| files).collect();
        let out = match out {
            Some(out) => out.to_owned(),
            None if first.is_dir() => first.join("reading"),
            None => first.parent().unwrap_or(Path::new(".")).join("reading"),
        };
        check_derivatives_folder(&out, None)?;
        let mut roots = results.to_vec();
        // The results name their images, wherever these are.
        let images = cases.iter().flat_map(|case| {
            let before = case.visits.iter().flat_map(|visits| &visits.baseline);
            let named = case.images.iter().chain(before).map(|(_, path)| path);
            named.chain(&case.brain).filter_map(|path| path.canonicalize().ok()).collect::<Vec<_>>()
        });
        roots.extend(images);
        let dataset = Self::new(cases, out, &roots)?;
        std::fs::create_dir_all(&dataset.out)
            .map_err(|source| AnnotateError::Io { path: dataset.out.clone(), source })?;
        bids::write_dataset_description(&dataset.out)?;
        Ok(dataset)
    }
}

/// The sidecars below a folder; links to folders are not followed.
fn find(place: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), AnnotateError> {
    let io = |source| AnnotateError::Io { path: place.to_owned(), source };
    let named = |path: &Path| path.to_string_lossy().ends_with(ENDING);
    if !place.is_dir() {
        std::fs::metadata(place).map_err(io)?;
        found.extend(named(place).then(|| place.to_owned()));
        return Ok(());
    }
    for entry in std::fs::read_dir(place).map_err(io)? {
        let entry = entry.map_err(io)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(io)?);
        if kind.is_dir() && depth > 0 {
            find(&path, depth - 1, found)?;
        } else if kind.is_file() && named(&path) {
            found.push(path);
        }
    }
    Ok(())
}

fn case(path: &Path) -> Result<CaseFiles, AnnotateError> {
    let sidecar = Sidecar::read(path)?;
    sidecar.followup_to_baseline(path)?;
    let mut images = Vec::new();
    for source in &sidecar.followup.sources {
        images.push((ImageKind::from(source.modality), source.found(path)?));
    }
    let mut baseline = Vec::new();
    for source in &sidecar.baseline.sources {
        baseline.push((ImageKind::at_baseline(source.modality), source.found(path)?));
    }
    let Some((_, reference)) = images.first() else {
        return Err(AnnotateError::Results {
            path: path.to_owned(),
            reason: "it names no image".to_owned(),
        });
    };
    let name = BidsName::derived_from(reference)
        .with(&[("seg", "visits"), ("desc", "{desc}")], "", "")
        .trim_end_matches('_')
        .to_owned();
    let id = sidecar.followup.scan.clone();
    let mut folder = PathBuf::new();
    if id.starts_with("sub-") {
        let part = |key: &str| id.split('_').find(|part| part.starts_with(key));
        folder.extend(part("sub-"));
        folder.extend(part("ses-"));
        folder.push("anat");
    }
    Ok(CaseFiles {
        id,
        folder,
        name,
        images,
        brain: sidecar.followup_mask(path),
        candidates: None,
        candidate_table: None,
        visits: Some(VisitFiles { sidecar: path.to_owned(), baseline }),
        result: None,
    })
}
