//! How the program ends: 0 done, 1 the user can mend it, 2 we must.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

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
                ExitCode::from(1)
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
