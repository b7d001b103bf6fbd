//! One subject: the stages of its scans, each only if something it depends on has changed.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use deepmir_cases::{CaseFiles, Modality, bids};
use deepmir_recon::output::parts_beside;

use super::options::Event;
use super::plan::{Decision, ScanPlan, Source};
use super::stages::Ready;
use super::status::{ScanStatus, State, SubjectStatus};
use super::worker::{Interrupted, Worker, internal_error};
use super::{Subject, fingerprint};
use crate::PipelineError;

impl Worker<'_> {
    /// Does the stages that are due; `None` if the user stopped the run. The status is written after each
    /// stage, and is not touched if nothing was done.
    pub(super) fn subject(
        &mut self,
        subject: &Subject,
    ) -> Result<Option<SubjectStatus>, PipelineError> {
        let out = &self.options.out;
        let there = SubjectStatus::read(out, &subject.id);
        let before = there.clone().filter(|_| !self.options.force);
        let mut status = SubjectStatus::new(&subject.id);
        match &subject.scans {
            Err(reason) => {
                status.state = State::Failed;
                status.reason = Some(reason.clone());
            }
            Ok(scans) if scans.is_empty() => {
                status.state = State::Skipped;
                status.reason = Some(subject.nothing.clone());
            }
            Ok(scans) => {
                sweep(&out.join(&subject.id));
                let planner = self.options.planner();
                for scan in self.options.of_sessions(scans) {
                    let plan = planner.plan(scan);
                    let warnings = plan.warnings.iter();
                    status
                        .warnings
                        .extend(warnings.map(|warning| format!("{}: {warning}", scan.id)));
                    let known = before.as_ref().and_then(|before| before.scan(&scan.id));
                    let Some(done) =
                        self.isolate_failure(&plan, known, &mut status, before.as_ref())?
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
                    status.reason = Some("none of the selected sessions".to_owned());
                }
            }
        }
        // Results of other sessions from another run stay; lesions are followed over all sessions.
        if let (Some(there), false) = (&there, self.options.sessions.is_empty()) {
            let other = there.scans.iter().filter(|scan| status.scan(&scan.id).is_none());
            let other: Vec<ScanStatus> = other.cloned().collect();
            status.scans.extend(other);
            status.scans.sort_by(|a, b| a.id.cmp(&b.id));
        }
        for scan in &mut status.scans {
            if let Some(times) = subject.times.get(&scan.id) {
                scan.times = times.clone();
            }
        }
        if self.timeline(&mut status, before.as_ref()).is_none() {
            return Ok(None);
        }
        if SubjectStatus::read(out, &subject.id).is_none_or(|there| !same(&there, &status)) {
            status.write(out)?;
        }
        Ok(Some(status))
    }

    /// The work of one scan. Any error in it, a panic too, is a failure of that scan alone.
    fn isolate_failure(
        &mut self,
        plan: &ScanPlan,
        known: Option<&ScanStatus>,
        status: &mut SubjectStatus,
        before: Option<&SubjectStatus>,
    ) -> Result<Option<ScanStatus>, PipelineError> {
        let mut scan = ScanStatus {
            id: plan.scan.id.clone(),
            state: State::Done,
            reasons: plan.reasons.clone(),
            model: None,
            recon: None,
            align: None,
            predict: None,
            lesions: BTreeMap::new(),
            warnings: Vec::new(),
            times: known.map(|known| known.times.clone()).unwrap_or_default(),
        };
        let work = AssertUnwindSafe(|| self.scan(plan, known, &mut scan, status, before));
        let fault = match catch_unwind(work) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(payload) if payload.is::<Interrupted>() => return Ok(None),
            Err(payload) => {
                // The model may be in an inconsistent state.
                self.predictors.clear();
                Some(internal_error(&*payload))
            }
        };
        if let Some(fault) = fault {
            scan.state = State::Failed;
            scan.reasons = vec![fault];
            // Results of earlier stages are still there.
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
    ) -> Result<(), PipelineError> {
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
        self.check_interrupt();
        if self.budget.is_short_of(plan.memory_gb) {
            let (scan, need_gb) = (plan.scan.id.as_str(), plan.memory_gb);
            (self.report)(Event::Waiting { scan, need_gb });
        }
        let Some(_share) = self.budget.take(plan.memory_gb) else {
            let reason = format!(
                "{} needs about {:.1} GB of memory and {:.1} may be used: raise --mem-gb, or run it \
                 where there is more",
                plan.scan.id,
                plan.memory_gb,
                self.budget.total_gb()
            );
            return Err(PipelineError::Subjects { reason });
        };
        self.check_interrupt();
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
                    unknown: None,
                    contrast: None,
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
                let mut paths: Vec<PathBuf> = images.values().chain(mask).cloned().collect();
                let chi_map = images.get(&Modality::Qsm);
                paths.extend(chi_map.and_then(|path| parts_beside(path)).into_iter().flatten());
                // It tells the unit of susceptibility.
                paths.extend(images.values().flat_map(|path| bids::sidecars(path)));
                let known = known.and_then(|known| known.predict.as_ref());
                let known = known.map_or(&[][..], |stage| &stage.inputs);
                let inputs = fingerprint::inputs(&paths, known, self.options.rehash)?;
                Ready { files, inputs, keys }
            }
        };
        self.predict(model, &ready, &plan.scan, known, scan)
    }

    /// Writes the status so far, with the earlier status of the scans to come: minutes of work are not
    /// lost if the run is killed.
    fn remember(
        &self,
        so_far: &SubjectStatus,
        before: Option<&SubjectStatus>,
    ) -> Result<(), PipelineError> {
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

/// Whether two statuses are the same, but for time and host.
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
