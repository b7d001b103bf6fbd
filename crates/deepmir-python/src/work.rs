//! Work beside Python: on threads of its own, with progress, and stopped by Ctrl-C.
//!
//! The calling thread waits without the GIL and wakes several times a second to hear signals and to call the progress
//! callback. Work that is to stop unwinds at its next report of progress; the caller does not wait for that.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pyo3::prelude::*;

use crate::failure::Failure;

/// Signals are heard this often.
const EVERY: Duration = Duration::from_millis(50);
/// Stack of the working threads, as large as a main thread's.
const STACK_BYTES: usize = 8 << 20;

/// The text of the last panic, with its place in the sources.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// Panics are told by exceptions, not on standard error.
pub fn keep_places_of_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if let Ok(mut last) = LAST_PANIC.lock() {
            *last = panic.to_string();
        }
    }));
}

/// Work in progress tells how far it is.
pub struct Reporter {
    messages: Sender<Message>,
    stopped: Arc<AtomicBool>,
}

enum Message {
    Progress { stage: String, done: usize, total: usize },
    Ended,
}

/// What unwinds through work that is to stop.
struct Stopped;

impl Reporter {
    /// `done` steps of `total` are done. Does not return if the work is to stop.
    pub fn tell(&self, stage: &str, done: usize, total: usize) {
        if self.stopped.load(Ordering::Relaxed) {
            // No panic: the hook is not called.
            resume_unwind(Box::new(Stopped));
        }
        // Nobody listens any more if the caller has gone.
        let _ = self.messages.send(Message::Progress { stage: stage.to_owned(), done, total });
    }
}

/// Runs work on `threads` threads (one for each core without) and waits for it.
///
/// # Errors
/// The work's own, a panic as [`Failure::internal`], what the callback raises, and KeyboardInterrupt.
pub fn run<T: Send + 'static>(
    py: Python<'_>,
    threads: Option<usize>,
    progress: Option<&Py<PyAny>>,
    work: impl FnOnce(&Reporter) -> Result<T, Failure> + Send + 'static,
) -> PyResult<T> {
    let (messages, received) = channel();
    let stopped = Arc::new(AtomicBool::new(false));
    let reporter = Reporter { messages: messages.clone(), stopped: Arc::clone(&stopped) };
    let worker = move || {
        let outcome = caught(|| {
            // A pool for each call: one that is kept would be without threads in a forked process.
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads.unwrap_or(0))
                .stack_size(STACK_BYTES)
                .build()?;
            pool.install(|| work(&reporter))
        });
        let _ = messages.send(Message::Ended);
        outcome
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(worker);
    let thread = thread.map_err(Failure::from)?;
    if let Err(error) = listen(py, received, progress) {
        stopped.store(true, Ordering::Relaxed);
        return Err(error);
    }
    let outcome = py.detach(|| thread.join());
    Ok(outcome.unwrap_or_else(|_| Err(Failure::internal("a thread ended early")))?)
}

/// Passes progress on until the work has ended.
fn listen(
    py: Python<'_>,
    mut received: Receiver<Message>,
    progress: Option<&Py<PyAny>>,
) -> PyResult<()> {
    loop {
        let message;
        (message, received) = py.detach(move || (received.recv_timeout(EVERY), received));
        match message {
            Ok(Message::Progress { stage, done, total }) => {
                if let Some(progress) = progress {
                    progress.call1(py, (stage, done, total))?;
                }
            }
            Ok(Message::Ended) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        py.check_signals()?;
    }
}

fn caught<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(of_panic(panic.as_ref())))
}

fn of_panic(panic: &(dyn Any + Send)) -> Failure {
    if panic.is::<Stopped>() {
        return Failure::internal("stopped without a reason");
    }
    let place = LAST_PANIC.lock().map(|place| place.clone()).unwrap_or_default();
    Failure::internal(&place)
}
