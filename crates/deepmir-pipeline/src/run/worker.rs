//! A worker of a run.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};

use super::memory::Budget;
use super::options::{Event, RunOptions};
use crate::predict::Predictor;

/// Unwinds a scan's work when the user stops the run. No partial file is left behind: every file is written under
/// another name and renamed.
pub(super) struct Interrupted;

/// A worker: its models, and the state that all workers share.
pub(super) struct Worker<'a> {
    pub(super) options: &'a RunOptions,
    pub(super) budget: &'a Budget,
    pub(super) interrupted: &'a AtomicBool,
    pub(super) report: &'a (dyn Fn(Event<'_>) + Sync),
    /// Opened when first needed.
    pub(super) predictors: HashMap<usize, Predictor>,
}

impl Worker<'_> {
    /// Whether the user stopped the run.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    pub(super) fn check_interrupt(&self) {
        if self.is_interrupted() {
            resume_unwind(Box::new(Interrupted));
        }
    }
}

/// What is told of a panic.
pub(super) fn internal_error(payload: &(dyn std::any::Any + Send)) -> String {
    let message = payload.downcast_ref::<String>().cloned();
    let message = message.or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned()));
    format!("internal error, please report it: {}", message.unwrap_or_else(|| "unknown".to_owned()))
}
