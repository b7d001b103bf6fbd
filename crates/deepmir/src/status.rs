//! How the program ends: 0 done, 1 the user can mend it, 2 we must, 3 some subjects failed, 130 stopped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// Ends that are neither success nor a fault of the whole.
#[derive(Debug)]
pub enum Ended {
    /// Some subjects failed, as told; the others are done.
    SomeFailed(String),
    /// The user stopped it.
    Interrupted,
}

impl Ended {
    /// As shells have it for a program that an interrupt ended.
    pub const INTERRUPTED: u8 = 130;

    fn code(&self) -> u8 {
        match self {
            Self::SomeFailed(_) => 3,
            Self::Interrupted => Self::INTERRUPTED,
        }
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SomeFailed(who) => formatter.write_str(who),
            Self::Interrupted => formatter.write_str("stopped; the same command goes on from here"),
        }
    }
}

impl std::error::Error for Ended {}

/// Runs the program and turns its end into an exit code and, if it failed, one message.
pub fn run(program: impl FnOnce() -> anyhow::Result<()>) -> ExitCode {
    // The message below says what the default one would, and what to do.
    let place = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let kept = std::sync::Arc::clone(&place);
    std::panic::set_hook(Box::new(move |panic| {
        // Whoever read our output has seen enough, as `head` does.
        if panic.to_string().contains("Broken pipe") {
            std::process::exit(0);
        }
        if let Ok(mut place) = kept.lock() {
            *place = panic.to_string();
        }
    }));
    match catch_unwind(AssertUnwindSafe(program)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => match error.downcast::<clap::Error>() {
            Ok(usage) => {
                // Help and version go to standard output and are no failure.
                let code = u8::from(usage.use_stderr());
                let _ = usage.print();
                ExitCode::from(code)
            }
            Err(error) => {
                complain(&format!("error: {error}"));
                ExitCode::from(error.downcast_ref::<Ended>().map_or(1, Ended::code))
            }
        },
        Err(_) => {
            let place = place.lock().map(|place| place.clone()).unwrap_or_default();
            complain(&format!(
                "internal error: {place}\nThis is a fault in deepmir {}: please report it with the \
                 command you gave.",
                env!("CARGO_PKG_VERSION")
            ));
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "the program's last words")]
fn complain(message: &str) {
    eprintln!("{message}");
}
