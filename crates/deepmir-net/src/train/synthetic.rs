//! A stream of synthetic subjects, made while training goes on, so that no two epochs show the same heads.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::store::StoredCase;
use crate::NetError;
use deepmir_cases::CaseFiles;

/// Makes subjects to learn from.
pub trait SyntheticSubjects: Send + Sync {
    /// The files of the `n`-th, counted from zero: the same whenever it is asked for, so that a
    /// training that was stopped goes on as it would have.
    ///
    /// # Errors
    /// Whatever keeps it from being made.
    fn subject(&self, n: usize) -> Result<CaseFiles, NetError>;
}

/// Subjects that join a training one after another, evenly over its steps. Which subjects a step may
/// show depends on the step alone: training waits for one that is late.
#[derive(Clone)]
pub struct SyntheticStream {
    /// Who makes them.
    pub source: Arc<dyn SyntheticSubjects>,
    /// How many.
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

/// The subjects made so far, between the thread that makes subjects and those that cut patches.
pub(super) struct SyntheticQueue {
    /// For each subject, the first step that may show it.
    joins: Vec<u64>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ready: Vec<Arc<StoredCase>>,
    failure: Option<NetError>,
    /// Nobody makes subjects any more, or nobody wants them.
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

    /// The subjects that a step may show, made by now or waited for.
    ///
    /// # Errors
    /// If one of them could not be made.
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
            reason: "no more subjects are made for this training".to_owned(),
        }))
    }

    /// Makes all of them in order with `make`, until one fails or nobody wants more.
    pub(super) fn make(&self, make: impl Fn(usize) -> Result<StoredCase, NetError>) {
        for n in 0..self.joins.len() {
            if self.lock().stopped {
                return;
            }
            let made = make(n);
            let mut state = self.lock();
            match made {
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

/// Stops the making when training ends, for whatever reason: threads that wait would wait forever.
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
    fn a_step_sees_who_has_joined_by_then_however_late_they_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let plan = preset::deepmir().plan;
        let (prepared, _) = prepared_subject(&plan);
        let queue = SyntheticQueue::new(2, 30);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.at(25).unwrap().len());
            assert_eq!(queue.at(9).unwrap().len(), 0);
            queue.make(|n| StoredCase::write(&prepared, &plan, &folder.path().join(n.to_string())));
            assert_eq!(waiting.join().unwrap(), 2);
        });
        assert_eq!([10, 19, 20].map(|step| queue.at(step).unwrap().len()), [1, 1, 2]);
    }

    #[test]
    fn a_subject_that_cannot_be_made_ends_the_wait_with_its_reason() {
        let queue = SyntheticQueue::new(3, 4);
        queue.make(|n| Err(NetError::Config { reason: format!("no head number {n}") }));
        assert!(queue.at(0).unwrap().is_empty());
        assert!(queue.at(1).unwrap_err().to_string().contains("no head number 0"));
        assert!(queue.at(1).unwrap_err().to_string().contains("no more subjects"));
    }
}
