//! Exit statuses and the last message: 0 success, 1 the user can mend it, 2 internal error, 3 some subjects
//! failed, 130 interrupted.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use signal_hook::consts::TERM_SIGNALS;
use signal_hook::iterator::Signals;

/// Why the answer could not be written.
static UNWRITTEN: Mutex<Option<String>> = Mutex::new(None);

/// Prints a line of the answer to standard output, as `println!` does.
macro_rules! say {
    ($($line:tt)*) => {
        $crate::status::print(format!("{}\n", format_args!($($line)*)).as_bytes())
    };
}

/// Writes a part of the answer to standard output. Whoever reads it may stop, as `head` does: the work goes on to its
/// end. Any other failure, such as a full disk, is told at the end.
pub fn print(bytes: &[u8]) {
    let mut out = std::io::stdout();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    if let Err(fault) = written
        && fault.kind() != std::io::ErrorKind::BrokenPipe
    {
        let mut unwritten = UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
        unwritten.get_or_insert_with(|| fault.to_string());
    }
}

/// Exit statuses that are neither success nor a failure of the whole.
#[derive(Debug)]
pub enum ExitStatus {
    /// Some subjects failed, as the text says; the others are done.
    SomeFailed(String),
    /// The user interrupted the program.
    Interrupted,
}

impl ExitStatus {
    /// The shells' code of a program that an interrupt ended.
    pub const INTERRUPTED: u8 = 130;

    fn code(&self) -> u8 {
        match self {
            Self::SomeFailed(_) => 3,
            Self::Interrupted => Self::INTERRUPTED,
        }
    }
}

impl std::fmt::Display for ExitStatus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SomeFailed(who) => formatter.write_str(who),
            Self::Interrupted => formatter.write_str("interrupted; the same command continues"),
        }
    }
}

impl std::error::Error for ExitStatus {}

/// An error with the chain of its causes, as [`deepmir_volume::with_causes`] tells it.
pub fn with_causes(error: &anyhow::Error) -> String {
    deepmir_volume::with_causes(error.as_ref())
}

/// Runs the program and turns its result into an exit code and, if it failed, one message.
pub fn run(program: impl FnOnce() -> anyhow::Result<()>) -> u8 {
    // The message below replaces the default one.
    let place = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&place);
    std::panic::set_hook(Box::new(move |panic| {
        if let Ok(mut place) = kept.lock() {
            *place = panic.to_string();
        }
    }));
    let outcome = catch_unwind(AssertUnwindSafe(program));
    let unwritten = UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    match outcome {
        Ok(Ok(())) => match unwritten {
            None => 0,
            Some(fault) => {
                print_error(&format!(
                    "error: cannot write the answer to standard output ({fault})"
                ));
                1
            }
        },
        Ok(Err(error)) => match error.downcast::<clap::Error>() {
            Ok(usage) => {
                // Help and version go to standard output and are no failure.
                let code = u8::from(usage.use_stderr());
                let _ = usage.print();
                code
            }
            Err(error) => {
                print_error(&format!("error: {}", with_causes(&error)));
                error.downcast_ref::<ExitStatus>().map_or(1, ExitStatus::code)
            }
        },
        Err(_) => {
            let place = place.lock().map(|place| place.clone()).unwrap_or_default();
            print_error(&format!(
                "internal error: {place}\nThis is a bug in deepmir {}; please report it with the \
                 command line.",
                env!("CARGO_PKG_VERSION")
            ));
            2
        }
    }
}

/// The last message. Where nobody reads it, the exit code stands alone.
fn print_error(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// Ends the process when it is interrupted, without leaving a lock behind.
///
/// # Errors
/// If interrupts cannot be listened for.
pub fn release_locks_on_signals() -> anyhow::Result<()> {
    let mut signals = Signals::new(TERM_SIGNALS).context("cannot listen for interrupts")?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            exit_at_once();
        }
    });
    Ok(())
}

/// The first interrupt (or Slurm's SIGTERM) sets the flag, so that files that are being written are finished; the second
/// exits at once. No partial file is left either way.
///
/// # Errors
/// If interrupts cannot be listened for.
pub fn stop_on_signals(interrupted: &Arc<AtomicBool>) -> anyhow::Result<()> {
    let mut signals = Signals::new(TERM_SIGNALS).context("cannot listen for interrupts")?;
    let flag = Arc::clone(interrupted);
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if flag.swap(true, Ordering::Relaxed) {
                exit_at_once();
            }
            tracing::warn!("stopping after the current step; interrupt again to stop at once");
        }
    });
    Ok(())
}

/// Ends the process as interrupted; locks that it holds are given back.
pub fn exit_at_once() -> ! {
    deepmir_pipeline::lock::release_all();
    std::process::exit(i32::from(ExitStatus::INTERRUPTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Inner {
        #[error("cannot read ({source})")]
        Read { source: std::io::Error },
    }

    #[test]
    fn a_context_does_not_hide_the_cause() {
        let source = std::io::Error::other("the disk is full");
        let error = Err::<(), _>(source).context("cannot write: report.html").unwrap_err();
        assert_eq!(with_causes(&error), "cannot write: report.html: the disk is full");
    }

    #[test]
    fn a_missing_file_is_told_in_our_words_alone() {
        let path = std::path::PathBuf::from("/no/such/folder/swi.nii.gz");
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = anyhow::Error::from(deepmir_volume::VolumeError::Read { path, source });
        assert_eq!(with_causes(&error), "there is no folder /no: /no/such/folder/swi.nii.gz");
    }

    #[test]
    fn a_cause_that_the_message_contains_is_told_once() {
        let source = std::io::Error::other("no such file");
        let error = Err::<(), _>(Inner::Read { source }).context("the model").unwrap_err();
        assert_eq!(with_causes(&error), "the model: cannot read (no such file)");
    }
}
