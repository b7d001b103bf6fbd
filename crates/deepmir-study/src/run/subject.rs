//! One subject: the stages of its scans, each only if something it depends on has changed.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use deepmir_net::{CaseFiles, Modality};
use deepmir_recon::input::{EchoParts, ScanFiles};

use super::fingerprint::{self, InputFile};
use super::memory::Budget;
use super::plan::{Decision, ScanPlan, Source};
use super::runner::{Event, RunOptions};
use super::status::{ScanStatus, StageRecord, State, SubjectStatus};
use super::timeline::{self, Session};
use super::{FoundScan, Subject, align};
use crate::StudyError;
use crate::predict::{Predictor, counts};
use crate::recon::{ReconInput, reconstruct_to};

/// What unwinds a scan's work when the user asks to stop: nothing half-written is left behind it, as
/// every file is written under another name and renamed.
struct Interrupted;

/// A worker: its models, and what all workers share.
pub(super) struct Worker<'a> {
    pub(super) options: &'a RunOptions,
    pub(super) budget: &'a Budget,
    pub(super) interrupted: &'a AtomicBool,
    pub(super) heard: &'a (dyn Fn(Event<'_>) + Sync),
    /// Opened when first needed.
    pub(super) predictors: HashMap<usize, Predictor>,
}

/// The images of a scan once they are there, and the stages that made them.
struct Ready {
    files: CaseFiles,
    /// Checksums of what the images come from: the next stage's inputs.
    inputs: Vec<InputFile>,
    /// Keys of the stages that made images.
    keys: Vec<String>,
}

impl Worker<'_> {
    /// Whether the user asked to stop.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    fn heed(&self) {
        if self.is_interrupted() {
            resume_unwind(Box::new(Interrupted));
        }
    }

    /// Does what is to be done; `None` if the user interrupted. The status is written after each
    /// stage, and is not touched if nothing was done.
    pub(super) fn subject(
        &mut self,
        subject: &Subject,
    ) -> Result<Option<SubjectStatus>, StudyError> {
        let out = &self.options.out;
        let before = SubjectStatus::read(out, &subject.id).filter(|_| !self.options.fresh);
        let mut status = SubjectStatus::new(&subject.id);
        match &subject.scans {
            Err(reason) => {
                status.state = State::Failed;
                status.reason = Some(reason.clone());
            }
            Ok(scans) if scans.is_empty() => {
                status.state = State::Skipped;
                status.reason = Some("no images or raw echoes under BIDS names".to_owned());
            }
            Ok(scans) => {
                sweep(&out.join(&subject.id));
                let planner = self.options.planner();
                for scan in self.options.of_sessions(scans) {
                    let plan = planner.plan(scan);
                    let known = before.as_ref().and_then(|before| before.scan(&scan.id));
                    let Some(done) = self.guarded(&plan, known, &mut status, before.as_ref())?
                    else {
                        return Ok(None);
                    };
                    let news = known != Some(&done);
                    status.scans.push(done);
                    if news && scans.len() > 1 {
                        self.remember(&status, before.as_ref())?;
                    }
                }
                status.state = worst(&status.scans);
                if status.scans.is_empty() {
                    status.state = State::Skipped;
                    status.reason = Some("none of the sessions asked for".to_owned());
                }
                self.timeline(&mut status, before.as_ref());
            }
        }
        // What other sessions came to in another run is kept.
        if let (Some(before), false) = (&before, self.options.sessions.is_empty()) {
            let other = before.scans.iter().filter(|scan| status.scan(&scan.id).is_none());
            let other: Vec<ScanStatus> = other.cloned().collect();
            status.scans.extend(other);
            status.scans.sort_by(|a, b| a.id.cmp(&b.id));
        }
        if SubjectStatus::read(out, &subject.id).is_none_or(|there| !same(&there, &status)) {
            status.write(out)?;
        }
        Ok(Some(status))
    }

    /// A scan's work; whatever goes wrong with it, a panic too, is its own failure.
    fn guarded(
        &mut self,
        plan: &ScanPlan,
        known: Option<&ScanStatus>,
        status: &mut SubjectStatus,
        before: Option<&SubjectStatus>,
    ) -> Result<Option<ScanStatus>, StudyError> {
        let mut scan = ScanStatus {
            id: plan.scan.id.clone(),
            state: State::Done,
            reasons: plan.reasons.clone(),
            model: None,
            recon: None,
            align: None,
            predict: None,
            lesions: BTreeMap::new(),
        };
        let work = AssertUnwindSafe(|| self.scan(plan, known, &mut scan, status, before));
        let fault = match catch_unwind(work) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(payload) if payload.is::<Interrupted>() => return Ok(None),
            Err(payload) => {
                // The model may have been left in the middle of something.
                self.predictors.clear();
                let said = payload.downcast_ref::<String>().cloned();
                let said = said.or_else(|| payload.downcast_ref::<&str>().map(|&s| s.to_owned()));
                Some(format!(
                    "internal error, please report it: {}",
                    said.unwrap_or_else(|| "unknown".to_owned())
                ))
            }
        };
        if let Some(fault) = fault {
            scan.state = State::Failed;
            scan.reasons = vec![fault];
            // What was made before it is still there.
            scan.recon = scan.recon.or_else(|| known?.recon.clone());
            scan.align = scan.align.or_else(|| known?.align.clone());
        }
        Ok(Some(scan))
    }

    fn scan(
        &mut self,
        plan: &ScanPlan,
        known: Option<&ScanStatus>,
        scan: &mut ScanStatus,
        status: &mut SubjectStatus,
        before: Option<&SubjectStatus>,
    ) -> Result<(), StudyError> {
        let (model, source) = match &plan.decision {
            Decision::Skip => {
                scan.state = State::Skipped;
                return Ok(());
            }
            Decision::Fail => {
                scan.state = State::Failed;
                return Ok(());
            }
            Decision::Predict { model, source } => (*model, source),
        };
        self.heed();
        let Some(_share) = self.budget.take(plan.memory_gb) else {
            let reason = format!(
                "{} needs about {:.1} GB of memory and {:.1} may be used: raise --mem-gb, or run it \
                 where there is more",
                plan.scan.id,
                plan.memory_gb,
                self.budget.total_gb()
            );
            return Err(StudyError::Subjects { reason });
        };
        self.heed();
        let ready = match source {
            Source::Echoes { echoes, t2w, mask } => {
                let ready =
                    self.recon(&plan.scan, echoes, t2w.as_ref(), mask.as_ref(), known, scan)?;
                if scan.recon.as_ref() != known.and_then(|known| known.recon.as_ref()) {
                    self.remember(&with(status, scan), before)?;
                }
                ready
            }
            Source::Maps { images, mask, t2w } => {
                let mut files = CaseFiles {
                    id: plan.scan.id.clone(),
                    images: images.clone(),
                    mask: mask.clone(),
                    truth: None,
                };
                let mut keys = Vec::new();
                if let Some((path, needed)) = t2w {
                    match self.align(&plan.scan, &files, path, known, scan) {
                        Ok((image, key)) => {
                            files.images.insert(Modality::T2w, image);
                            keys.push(key);
                            if scan.align.as_ref() != known.and_then(|known| known.align.as_ref()) {
                                self.remember(&with(status, scan), before)?;
                            }
                        }
                        Err(error) if *needed => return Err(error),
                        Err(error) => {
                            status
                                .warnings
                                .push(format!("{}: T2w left out: {error}", plan.scan.id));
                        }
                    }
                }
                let paths: Vec<PathBuf> = images.values().chain(mask).cloned().collect();
                let known = known.and_then(|known| known.predict.as_ref());
                let known = known.map_or(&[][..], |stage| &stage.inputs);
                let inputs = fingerprint::inputs(&paths, known, self.options.rehash)?;
                Ready { files, inputs, keys }
            }
        };
        self.predict(model, &ready, &plan.scan, known, scan)
    }

    /// Writes what is done so far, with what is known of the scans to come: minutes of work are not
    /// lost if the rest is killed.
    fn remember(
        &self,
        so_far: &SubjectStatus,
        before: Option<&SubjectStatus>,
    ) -> Result<(), StudyError> {
        let mut so_far = so_far.clone();
        so_far.state = State::Failed;
        so_far.reason = Some("not finished: run it again".to_owned());
        for scan in before.into_iter().flat_map(|before| &before.scans) {
            if so_far.scan(&scan.id).is_none() {
                so_far.scans.push(scan.clone());
            }
        }
        so_far.timeline = before.and_then(|before| before.timeline.clone());
        so_far.write(&self.options.out)
    }

    fn recon(
        &self,
        found: &FoundScan,
        echoes: &[EchoParts],
        t2w: Option<&PathBuf>,
        mask: Option<&PathBuf>,
        known: Option<&ScanStatus>,
        scan: &mut ScanStatus,
    ) -> Result<Ready, StudyError> {
        let before = known.and_then(|known| known.recon.as_ref());
        let mut paths: Vec<PathBuf> = Vec::new();
        for parts in echoes {
            let (EchoParts::Polar { magnitude: a, phase: b }
            | EchoParts::Cartesian { real: a, imaginary: b }) = parts;
            paths.extend([a.clone(), b.clone()]);
            paths.extend([a, b].into_iter().map(|path| sidecar(path)).filter(|path| path.exists()));
        }
        paths.extend(t2w.into_iter().chain(mask).cloned());
        let known_inputs = before.map_or(&[][..], |stage| &stage.inputs);
        let inputs = fingerprint::inputs(&paths, known_inputs, self.options.rehash)?;
        let settings = (&self.options.recon, self.options.read.nan_to_zero, t2w.is_some());
        let key = fingerprint::key("recon", &settings, &inputs);
        let folder = self.options.out.join(&found.folder);
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
        };
        let record = match before {
            Some(stage) if stage.holds(&key, &self.options.out) => stage.clone(),
            _ => {
                let started = Instant::now();
                let input = ReconInput {
                    files: ScanFiles { echoes: echoes.to_vec(), ..ScanFiles::default() },
                    read: deepmir_recon::input::ReadOptions {
                        non_finite_as_zero: self.options.read.nan_to_zero,
                        ..Default::default()
                    },
                    mask: mask.cloned(),
                    t2w: t2w.cloned(),
                };
                reconstruct_to(&input, &self.options.recon, &folder, stem, &mut |what| {
                    (self.heard)(Event::Step { scan: stem, what });
                    self.heed();
                })?;
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

    fn align(
        &self,
        found: &FoundScan,
        files: &CaseFiles,
        t2w: &Path,
        known: Option<&ScanStatus>,
        scan: &mut ScanStatus,
    ) -> Result<(PathBuf, String), StudyError> {
        let before = known.and_then(|known| known.align.as_ref());
        let reference = files.images.values().take(1);
        let paths: Vec<PathBuf> =
            reference.chain(&files.mask).cloned().chain([t2w.to_owned()]).collect();
        let known_inputs = before.map_or(&[][..], |stage| &stage.inputs);
        let inputs = fingerprint::inputs(&paths, known_inputs, self.options.rehash)?;
        let settings = (&self.options.recon.registration, &self.options.recon.bias);
        let key = fingerprint::key("align", &settings, &inputs);
        let folder = self.options.out.join(&found.folder);
        if let Some(stage) = before
            && stage.holds(&key, &self.options.out)
        {
            let image = folder.join(format!("{}_T2w.nii.gz", found.id));
            scan.align = Some(stage.clone());
            return Ok((image, key));
        }
        (self.heard)(Event::Step { scan: &found.id, what: "aligning T2w" });
        let started = Instant::now();
        let recon = &self.options.recon;
        let made = align::t2w(
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

    fn predict(
        &mut self,
        model: usize,
        ready: &Ready,
        found: &FoundScan,
        known: Option<&ScanStatus>,
        scan: &mut ScanStatus,
    ) -> Result<(), StudyError> {
        let options = self.options;
        let bundle = &options.models[model];
        let id = bundle.id();
        let settings = (&id, options.inference.flips, options.read.nan_to_zero, &ready.keys);
        let key = fingerprint::key("predict", &settings, &ready.inputs);
        scan.model = Some((bundle.settings.name.clone(), id));
        if let Some(before) = known
            && let Some(stage) = &before.predict
            && stage.holds(&key, &options.out)
        {
            scan.predict = Some(stage.clone());
            scan.lesions = before.lesions.clone();
            return Ok(());
        }
        self.heed();
        (self.heard)(Event::Step { scan: &found.id, what: "finding lesions" });
        let started = Instant::now();
        let predictor = match self.predictors.entry(model) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let mut predictor = Predictor::new(bundle.clone(), options.device)?;
                predictor.options = options.inference;
                predictor.read = options.read;
                entry.insert(predictor)
            }
        };
        let interrupted = self.interrupted;
        let prediction = predictor.predict(&ready.files, &mut |_, _| {
            if interrupted.load(Ordering::Relaxed) {
                resume_unwind(Box::new(Interrupted));
            }
        })?;
        let folder = options.out.join(&found.folder);
        let written = predictor.write(&prediction, &ready.files, &folder)?;
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

    /// Lesions over sessions, where there are two or more. That heads cannot be aligned is a warning:
    /// each session stands for itself.
    fn timeline(&self, status: &mut SubjectStatus, before: Option<&SubjectStatus>) {
        let sessions: Vec<(Session, String)> = self.sessions(status);
        if sessions.len() < 2 {
            return;
        }
        let keys: Vec<&String> = sessions.iter().map(|(_, key)| key).collect();
        let settings = &self.options.recon.registration;
        let key = fingerprint::key("timeline", &(settings, keys), &[]);
        let known = before.and_then(|before| before.timeline.as_ref());
        if let Some(stage) = known
            && stage.holds(&key, &self.options.out)
        {
            status.timeline = Some(stage.clone());
            return;
        }
        let started = Instant::now();
        let path = self
            .options
            .out
            .join(&status.subject)
            .join(format!("{}_desc-lesions_timeline.tsv", status.subject));
        let sessions: Vec<Session> = sessions.into_iter().map(|(session, _)| session).collect();
        let outcome = timeline::write(&sessions, &self.options.read, settings, &path)
            .and_then(|()| StageRecord::sizes(&self.options.out, std::slice::from_ref(&path)));
        match outcome {
            Ok(outputs) => {
                status.timeline = Some(StageRecord {
                    key,
                    inputs: Vec::new(),
                    outputs,
                    seconds: started.elapsed().as_secs_f64(),
                });
            }
            Err(error) => {
                // What an earlier run found about other images is no longer true.
                let _ = std::fs::remove_file(&path);
                status.warnings.push(format!("lesions were not followed over sessions: {error}"));
            }
        }
    }

    /// The first finished scan of each session, and the key of its prediction.
    fn sessions(&self, status: &SubjectStatus) -> Vec<(Session, String)> {
        let mut seen = Vec::new();
        let mut sessions = Vec::new();
        for scan in &status.scans {
            let session = scan.id.split('_').find(|part| part.starts_with("ses-"));
            let (Some(session), Some(stage), State::Done) = (session, &scan.predict, scan.state)
            else {
                continue;
            };
            if seen.contains(&session) {
                continue;
            }
            let of = |ending: &str| {
                let path =
                    stage.outputs.keys().find(|path| path.to_string_lossy().ends_with(ending));
                path.map(|path| self.options.out.join(path))
            };
            let Some(table) = of("desc-lesions.tsv") else { continue };
            let Some(files) =
                of("desc-lesions_qc.json").and_then(|path| reference(&scan.id, &path))
            else {
                continue;
            };
            seen.push(session);
            sessions.push((Session { scan: scan.id.clone(), files, table }, stage.key.clone()));
        }
        sessions
    }
}

/// The reference image and mask of a scan, from its quality sheet.
fn reference(id: &str, sheet: &Path) -> Option<CaseFiles> {
    let text = std::fs::read_to_string(sheet).ok()?;
    let sheet: serde_json::Value = serde_json::from_str(&text).ok()?;
    let path = |key: &str| sheet.get(key)?.as_str().map(PathBuf::from);
    let modality = sheet.get("ReferenceModality")?.as_str()?.parse().ok()?;
    Some(CaseFiles {
        id: id.to_owned(),
        images: BTreeMap::from([(modality, path("Reference")?)]),
        mask: path("Mask"),
        truth: None,
    })
}

fn sidecar(path: &Path) -> PathBuf {
    path.with_file_name(format!("{}.json", deepmir_volume::nifti::stem(path)))
}

/// Files of a folder whose names begin with a scan's: what its reconstruction wrote.
fn beginning_with(folder: &Path, stem: &str) -> Result<Vec<PathBuf>, StudyError> {
    let fault = |source| StudyError::Read { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let of_scan = name.strip_prefix(stem).is_some_and(|rest| rest.starts_with('_'));
        let lesions = name.contains("-lesions");
        let other_run = name.strip_prefix(stem).is_some_and(|rest| rest.starts_with("_run-"));
        if of_scan && !lesions && !other_run {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Temporary files of a run that was killed.
fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sweep(&path);
        } else if name.starts_with('.') && name.ends_with(".tmp") {
            // One that cannot be removed does no harm.
            let _ = std::fs::remove_file(&path);
        }
    }
}

fn worst(scans: &[ScanStatus]) -> State {
    scans.iter().map(|scan| scan.state).max().unwrap_or(State::Done)
}

/// Whether a new status says what the old one says, but for when and where.
fn same(before: &SubjectStatus, now: &SubjectStatus) -> bool {
    let plain = |status: &SubjectStatus| SubjectStatus {
        host: String::new(),
        finished_unix_s: 0,
        ..status.clone()
    };
    plain(before) == plain(now)
}

/// A status with one more scan.
fn with(status: &SubjectStatus, scan: &ScanStatus) -> SubjectStatus {
    let mut status = status.clone();
    status.scans.push(scan.clone());
    status
}
