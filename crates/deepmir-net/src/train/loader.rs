//! Prefetching batches in background threads.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

use super::sampler::{Batch, Sampler};
use crate::NetError;

/// Batches that each thread prefetches.
const READY: usize = 2;

/// Batches in the order of their steps, whatever the number of threads.
pub(super) struct Loader {
    receivers: Vec<Receiver<Result<Batch, NetError>>>,
    next: usize,
}

impl Loader {
    /// Starts threads that draw the batches of `steps`, until the last or until the loader is dropped.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        sampler: &'scope Sampler<'_>,
        steps: std::ops::Range<u64>,
        threads: usize,
    ) -> Self {
        let receivers = (0..threads as u64).map(|thread| {
            let (sender, receiver) = sync_channel(READY);
            let steps = steps.clone().skip(thread as usize).step_by(threads);
            scope.spawn(move || {
                for step in steps {
                    let batch = sampler.batch(step);
                    let failed = batch.is_err();
                    // The loader was dropped, or the batch failed.
                    if sender.send(batch).is_err() || failed {
                        break;
                    }
                }
            });
            receiver
        });
        Self { receivers: receivers.collect(), next: 0 }
    }

    /// The next step's batch; `None` after the last.
    pub(super) fn next(&mut self) -> Option<Result<Batch, NetError>> {
        let batch = self.receivers[self.next].recv().ok();
        self.next = (self.next + 1) % self.receivers.len();
        batch
    }
}
