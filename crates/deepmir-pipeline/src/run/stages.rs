//! The stages of a scan and of a subject. Each reuses the results of an earlier run from the same inputs, settings and
//! code, and otherwise makes them and records what they depend on.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use deepmir_cases::bids::{self, Scan};
use deepmir_cases::{CaseFiles, Modality};
use deepmir_recon::input::{EchoParts, ScanFiles};

use super::fingerprint::{self, InputFile};
use super::options::Event;
use super::status::{ScanStatus, StageRecord};
use super::worker::{Interrupted, Worker};
use crate::PipelineError;
use crate::predict::{Predictor, counts};
use crate::recon::{ReconFolders, ReconInput};

/// The images of a scan, and the stages that made them.
pub(super) struct Ready {
    pub(super) files: CaseFiles,
    /// Checksums of the input files: inputs of the next stage.
    pub(super) inputs: Vec<InputFile>,
    /// Keys of the stages that made images.
    pub(super) keys: Vec<String>,
}

impl Worker<'_> {
    pub(super) fn recon(
        &self,
        found: &Scan,
        echoes: &[EchoParts],
        t2w: Option<&PathBuf>,
        mask: Option<&PathBuf>,
        known: Option<&ScanStatus>,
        scan: &mut ScanStatus,
    ) -> Result<Ready, PipelineError> {
        let before = known.and_then(|known| known.recon.as_ref());
        let mut paths: Vec<PathBuf> = Vec::new();
        for parts in echoes {
            let (EchoParts::Polar { magnitude: a, phase: b }
            | EchoParts::Cartesian { real: a, imaginary: b }) = parts;
            paths.extend([a.clone(), b.clone()]);
            for sidecar in [a, b].into_iter().flat_map(|path| bids::sidecars(path)) {
                // One may tell about several images.
                if !paths.contains(&sidecar) {
                    paths.push(sidecar);
                }
            }
        }
        // Without settings for it, it may lie on any grid.
        let separation = self.options.recon.chain.separation;
        let r2 = found.r2_map.as_ref().filter(|_| separation.is_some());
        paths.extend(t2w.into_iter().chain(mask).chain(r2).cloned());
        let known_inputs = before.map_or(&[][..], |stage| &stage.inputs);
        let inputs = fingerprint::inputs(&paths, known_inputs, self.options.rehash)?;
        // What a tolerant run made may have warnings.
        let strict = self.options.strict;
        let settings = (&self.options.recon, self.options.read.nan_to_zero, t2w.is_some(), strict);
        let key = fingerprint::key("recon", &settings, &inputs);
        let folder = self.options.out.join(found.folder());
        let stem = &found.id;
        let image = |ending: &str| folder.join(format!("{stem}_{ending}.nii.gz"));
        let mut images = BTreeMap::from([
            (Modality::Swi, image("acq-swi_T2starw")),
            (Modality::Qsm, image("Chimap")),
        ]);
        images.extend(t2w.map(|_| (Modality::T2w, image("T2w"))));
        let files = CaseFiles {
            id: found.id.clone(),
            images,
            mask: Some(image("desc-brain_mask")),
            truth: None,
            unknown: None,
            contrast: None,
        };
        let record = match before {
            Some(stage) if stage.holds(&key, &self.options.out) => stage.clone(),
            _ => {
                refuse_others(&found.id, before, &inputs)?;
                let started = Instant::now();
                let input = ReconInput {
                    files: ScanFiles { echoes: echoes.to_vec(), ..ScanFiles::default() },
                    read: deepmir_recon::input::ReadOptions {
                        non_finite_as_zero: self.options.read.nan_to_zero,
                        ..Default::default()
                    },
                    mask: mask.cloned(),
                    t2w: t2w.cloned(),
                    r2: r2.cloned(),
                    strict: self.options.strict,
                };
                let scratch = self.options.work.as_ref().map(|work| work.join(found.folder()));
                let folders = ReconFolders {
                    results: &folder,
                    intermediate: scratch.as_ref().unwrap_or(&folder),
                };
                crate::scan::reconstruct(
                    &input,
                    &self.options.recon,
                    folders,
                    stem,
                    &mut |what| {
                        (self.report)(Event::Step { scan: stem, what });
                        self.check_interrupt();
                    },
                )?;
                let written = beginning_with(&folder, stem)?;
                StageRecord {
                    key: key.clone(),
                    inputs: inputs.clone(),
                    outputs: StageRecord::sizes(&self.options.out, &written)?,
                    seconds: started.elapsed().as_secs_f64(),
                }
            }
        };
        scan.recon = Some(record);
        Ok(Ready { files, inputs: Vec::new(), keys: vec![key] })
    }

    pub(super) fn align(
        &self,
        found: &Scan,
        files: &CaseFiles,
        t2w: &Path,
        known: Option<&ScanStatus>,
        scan: &mut ScanStatus,
    ) -> Result<(PathBuf, String), PipelineError> {
        let before = known.and_then(|known| known.align.as_ref());
        let reference = files.images.values().take(1);
        let paths: Vec<PathBuf> =
            reference.chain(&files.mask).cloned().chain([t2w.to_owned()]).collect();
        let known_inputs = before.map_or(&[][..], |stage| &stage.inputs);
        let inputs = fingerprint::inputs(&paths, known_inputs, self.options.rehash)?;
        let settings = (&self.options.recon.registration, &self.options.recon.bias);
        let key = fingerprint::key("align", &settings, &inputs);
        let folder = self.options.out.join(found.folder());
        if let Some(stage) = before
            && stage.holds(&key, &self.options.out)
        {
            let image = folder.join(format!("{}_T2w.nii.gz", found.id));
            scan.align = Some(stage.clone());
            return Ok((image, key));
        }
        (self.report)(Event::Step { scan: &found.id, what: "aligning T2w" });
        let started = Instant::now();
        let recon = &self.options.recon;
        let made = crate::scan::align_t2w(
            &found.id,
            &files.images,
            files.mask.as_ref(),
            t2w,
            recon,
            &self.options.read,
            &folder,
        )?;
        scan.align = Some(StageRecord {
            key: key.clone(),
            inputs,
            outputs: StageRecord::sizes(&self.options.out, &made.written)?,
            seconds: started.elapsed().as_secs_f64(),
        });
        Ok((made.image, key))
    }

    pub(super) fn predict(
        &mut self,
        model: usize,
        ready: &Ready,
        found: &Scan,
        known: Option<&ScanStatus>,
        scan: &mut ScanStatus,
    ) -> Result<(), PipelineError> {
        let options = self.options;
        let bundle = &options.models[model];
        let id = bundle.id();
        let (flips, strict) = (options.inference.flips, options.strict);
        let (zero, viewers) = (options.read.nan_to_zero, options.viewer_files);
        let settings = (&id, flips, zero, strict, viewers, &ready.keys);
        let key = fingerprint::key("predict", &settings, &ready.inputs);
        scan.model = Some((bundle.settings.name.clone(), id));
        if let Some(before) = known
            && let Some(stage) = &before.predict
            && stage.holds(&key, &options.out)
        {
            scan.predict = Some(stage.clone());
            scan.lesions = before.lesions.clone();
            scan.warnings = before.warnings.clone();
            return Ok(());
        }
        let before = known.and_then(|known| known.predict.as_ref());
        refuse_others(&found.id, before, &ready.inputs)?;
        self.check_interrupt();
        (self.report)(Event::Step { scan: &found.id, what: "finding lesions" });
        let started = Instant::now();
        let interrupted = self.interrupted;
        let folder = options.out.join(found.folder());
        let mut progress = |_, _| {
            if interrupted.load(Ordering::Relaxed) {
                resume_unwind(Box::new(Interrupted));
            }
        };
        let predictor = self.predictor(model)?;
        let (prediction, written) =
            crate::scan::find_lesions(predictor, &ready.files, &folder, &mut progress)?;
        scan.warnings = prediction.quality.warnings.clone();
        scan.lesions = counts(&prediction.rows)
            .into_iter()
            .map(|(class, count)| (class.name().to_owned(), count))
            .collect();
        scan.predict = Some(StageRecord {
            key,
            inputs: ready.inputs.clone(),
            outputs: StageRecord::sizes(&options.out, &written.all)?,
            seconds: started.elapsed().as_secs_f64(),
        });
        Ok(())
    }

    /// A model of the run, opened when it is first needed.
    pub(super) fn predictor(&mut self, model: usize) -> Result<&mut Predictor, PipelineError> {
        let options = self.options;
        Ok(match self.predictors.entry(model) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let mut predictor = Predictor::new(options.models[model].clone(), options.device)?;
                predictor.detector.options = options.inference;
                predictor.detector.read = options.read;
                predictor.strict = options.strict;
                predictor.viewer_files = options.viewer_files;
                predictor.memory_gb = Some(options.memory_gb);
                entry.insert(predictor)
            }
        })
    }
}

/// Refuses to write over results that were made from other files: another dataset's, whose subjects have the same
/// names. Files of the same content that were moved, and files in the same place that were changed, are not others.
fn refuse_others(
    scan: &str,
    before: Option<&StageRecord>,
    inputs: &[InputFile],
) -> Result<(), PipelineError> {
    let Some(StageRecord { inputs: known, .. }) = before else { return Ok(()) };
    // Two scans' sidecars may say the same.
    let is_image = |file: &&InputFile| file.path.extension().is_none_or(|ending| ending != "json");
    let same = |a: &InputFile, b: &InputFile| a.path == b.path || a.sha256 == b.sha256;
    let (Some(was), false) = (known.first(), inputs.is_empty()) else { return Ok(()) };
    let mut images = inputs.iter().filter(is_image);
    if images.any(|input| known.iter().any(|known| same(input, known))) {
        return Ok(());
    }
    let reason = format!(
        "the folder has results of another {scan}; choose another folder, or write over them with --force: {}",
        was.path.display()
    );
    Err(PipelineError::Subjects { reason })
}

/// Files of a folder whose names begin with a scan's: what its reconstruction wrote.
fn beginning_with(folder: &Path, stem: &str) -> Result<Vec<PathBuf>, PipelineError> {
    let fault = |source| PipelineError::Read { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let of_scan = name.strip_prefix(stem).is_some_and(|rest| rest.starts_with('_'));
        let lesions = name.contains("-lesions") || name.contains("seg-instances");
        let other_run = name.strip_prefix(stem).is_some_and(|rest| rest.starts_with("_run-"));
        if of_scan && !lesions && !other_run {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
