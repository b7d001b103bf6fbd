//! Many subjects, a few at a time.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Subject;
use super::memory::Budget;
use super::options::{Event, RunOptions};
use super::status::{State, SubjectStatus, status_folder};
use super::worker::Worker;
use crate::PipelineError;
use crate::lock::{Lock, Taken, Watch};
use deepmir_cases::bids;

/// How long to wait before trying somebody else's lock again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// The outcome of a run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Every subject's status, by name.
    pub statuses: Vec<SubjectStatus>,
    /// Subjects whose status could not be written, and why.
    pub unwritten: Vec<(String, String)>,
    /// Whether the user stopped it.
    pub interrupted: bool,
}

impl Summary {
    /// Subjects that ended in a state.
    pub fn count(&self, state: State) -> usize {
        self.statuses.iter().filter(|status| status.state == state).count()
    }

    /// Whether there was something to do, and no scan of any subject is done.
    pub fn did_nothing(&self) -> bool {
        let done = |status: &SubjectStatus| {
            status.state == State::Done || status.scans.iter().any(|scan| scan.state == State::Done)
        };
        !self.statuses.is_empty() && !self.statuses.iter().any(done)
    }

    /// Whether anything went wrong.
    pub fn has_failures(&self) -> bool {
        self.count(State::Failed) > 0 || !self.unwritten.is_empty()
    }
}

/// Waiting subjects by number, with the watch on whoever holds them.
type Queue = VecDeque<(usize, Option<Watch>)>;

/// A temporary file in a folder that runs share is abandoned from this age on: they live milliseconds.
const OLD: Duration = Duration::from_secs(600);

/// Temporary files that killed runs left in a folder that runs share; those of subjects go when
/// their lock is taken. Another run may be writing one at this moment, so it must be old.
fn sweep_old(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Names come with the listing; a file's time costs a disk access for each of thousands of files.
        if !(name.starts_with('.') && name.ends_with(".tmp")) {
            continue;
        }
        let written = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        if written.is_some_and(|at| at.elapsed().is_ok_and(|age| age > OLD)) {
            // One that cannot be removed does no harm.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The participant level: every subject from what there is to lesions and pages. A subject that
/// fails is reported and the others go on; one that another process works on is waited for. Set
/// `interrupted` to stop: files are whole then, and a later run continues from there.
///
/// # Errors
/// An output folder that cannot be written to.
pub fn participants(
    options: &RunOptions,
    subjects: &[Subject],
    interrupted: &AtomicBool,
    report: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Summary, PipelineError> {
    let folder = status_folder(&options.out);
    std::fs::create_dir_all(&folder)
        .map_err(|source| PipelineError::Write { path: folder.clone(), source })?;
    sweep_old(&options.out);
    sweep_old(&folder);
    bids::write_dataset_description(&options.out)?;
    let budget = Budget::new(options.memory_gb);
    let queue: Mutex<Queue> = Mutex::new((0..subjects.len()).map(|n| (n, None)).collect());
    let summary = Mutex::new(Summary::default());
    let work = || {
        let mut worker =
            Worker { options, budget: &budget, interrupted, report, predictors: HashMap::new() };
        while !worker.is_interrupted() {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((number, watch)) = next else { break };
            let subject = &subjects[number];
            let outcome = one(&mut worker, subject, watch);
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok(Outcome::Finished(status)) => summary.statuses.push(*status),
                Ok(Outcome::Interrupted) => summary.interrupted = true,
                Ok(Outcome::Busy(watch)) => {
                    let alone = queue.iter().all(|(_, watch)| watch.is_some());
                    queue.push_back((number, Some(watch)));
                    drop((queue, summary));
                    if alone {
                        std::thread::sleep(RETRY_AFTER);
                    }
                }
                Err(error) => summary.unwritten.push((subject.id.clone(), error.to_string())),
            }
        }
        if worker.is_interrupted() {
            summary.lock().unwrap_or_else(PoisonError::into_inner).interrupted = true;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, subjects.len().max(1)) {
            scope.spawn(work);
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.statuses.sort_by(|a, b| a.subject.cmp(&b.subject));
    summary.unwritten.sort();
    Ok(summary)
}

enum Outcome {
    Finished(Box<SubjectStatus>),
    Busy(Watch),
    Interrupted,
}

fn one(
    worker: &mut Worker<'_>,
    subject: &Subject,
    watch: Option<Watch>,
) -> Result<Outcome, PipelineError> {
    let out = &worker.options.out;
    let path = status_folder(out).join(format!("{}.lock", subject.id));
    let new = watch.is_none();
    let taken = Lock::take(&path, watch)
        .map_err(|source| PipelineError::Write { path: path.clone(), source })?;
    let _lock = match taken {
        Taken::Ours(lock) => lock,
        Taken::Theirs(watch) => {
            if new {
                let holder = watch.holder.as_ref().map(ToString::to_string);
                let holder = holder.unwrap_or_else(|| "another process".to_owned());
                (worker.report)(Event::Busy { subject: &subject.id, holder: &holder });
            }
            return Ok(Outcome::Busy(watch));
        }
    };
    let before = SubjectStatus::read(out, &subject.id);
    let Some(status) = worker.subject(subject)? else { return Ok(Outcome::Interrupted) };
    let news = SubjectStatus::read(out, &subject.id) != before;
    (worker.report)(Event::Finished { status: &status, news });
    Ok(Outcome::Finished(Box::new(status)))
}
