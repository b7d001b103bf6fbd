//! A stream of synthetic subjects that are generated during the training, so that no two epochs hold the same heads.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::store::StoredCase;
use crate::NetError;
use deepmir_cases::CaseFiles;

/// A generator of training subjects.
pub trait SyntheticSubjects: Send + Sync {
    /// The files of the `n`-th subject, counted from zero. It must be the same on every call, so that a resumed training
    /// ends in the same weights.
    ///
    /// # Errors
    /// If the subject cannot be generated.
    fn subject(&self, n: usize) -> Result<CaseFiles, NetError>;

    /// All that decides the subjects, in words: a training is not resumed with others.
    fn settings(&self) -> String;
}

/// Synthetic subjects that join a training one after another, evenly over its steps. Which subjects a step draws from
/// depends on the step alone: the training waits for a subject that is late.
#[derive(Clone)]
pub struct SyntheticStream {
    /// The generator.
    pub source: Arc<dyn SyntheticSubjects>,
    /// Number of subjects.
    pub count: usize,
}

impl fmt::Debug for SyntheticStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SyntheticStream")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// The subjects generated so far, shared by the thread that generates them and those that cut patches.
pub(super) struct SyntheticQueue {
    /// For each subject, the first step that may draw from it.
    joins: Vec<u64>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ready: Vec<Arc<StoredCase>>,
    failure: Option<NetError>,
    /// No more subjects are generated, or needed.
    stopped: bool,
}

impl SyntheticQueue {
    /// Of `count` subjects over `steps` steps.
    pub(super) fn new(count: usize, steps: u64) -> Self {
        let share = |n: u64| n * steps / (count as u64 + 1);
        Self {
            joins: (1..=count as u64).map(share).collect(),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// The subjects that a step may draw from; waits until they are generated.
    ///
    /// # Errors
    /// If one of them could not be generated.
    pub(super) fn at(&self, step: u64) -> Result<Vec<Arc<StoredCase>>, NetError> {
        let count = self.joins.partition_point(|&join| join <= step);
        let mut state = self.lock();
        while state.ready.len() < count && !state.stopped {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.ready.len() >= count {
            return Ok(state.ready[..count].to_vec());
        }
        Err(state.failure.take().unwrap_or_else(|| NetError::Config {
            reason: "no more synthetic subjects are generated for this training".to_owned(),
        }))
    }

    /// Generates all subjects in order, until one fails or the training stops.
    pub(super) fn fill(&self, generate: impl Fn(usize) -> Result<StoredCase, NetError>) {
        for n in 0..self.joins.len() {
            if self.lock().stopped {
                return;
            }
            let generated = generate(n);
            let mut state = self.lock();
            match generated {
                Ok(case) => state.ready.push(Arc::new(case)),
                Err(error) => (state.failure, state.stopped) = (Some(error), true),
            }
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }
}

/// Stops the generator when the training ends, for whatever reason: waiting threads would wait forever.
pub(super) struct StopAtEnd<'a>(pub &'a SyntheticQueue);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::tests::prepared_subject;
    use crate::preset;

    #[test]
    fn a_step_draws_from_the_subjects_that_joined_before_however_late_they_are_generated() {
        let folder = tempfile::tempdir().unwrap();
        let plan = preset::deepmir().plan;
        let (prepared, _) = prepared_subject(&plan);
        let queue = SyntheticQueue::new(2, 30);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.at(25).unwrap().len());
            assert_eq!(queue.at(9).unwrap().len(), 0);
            queue.fill(|n| StoredCase::write(&prepared, &plan, &folder.path().join(n.to_string())));
            assert_eq!(waiting.join().unwrap(), 2);
        });
        assert_eq!([10, 19, 20].map(|step| queue.at(step).unwrap().len()), [1, 1, 2]);
    }

    #[test]
    fn a_subject_that_cannot_be_generated_ends_the_wait_with_its_reason() {
        let queue = SyntheticQueue::new(3, 4);
        queue.fill(|n| Err(NetError::Config { reason: format!("no head number {n}") }));
        assert!(queue.at(0).unwrap().is_empty());
        assert!(queue.at(1).unwrap_err().to_string().contains("no head number 0"));
        assert!(queue.at(1).unwrap_err().to_string().contains("no more synthetic subjects"));
    }
}
