//! One run of the program with limits on memory, time and the size of files.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How much of what the program prints is kept, in bytes.
const KEPT: usize = 1 << 16;

/// Limits of one run. Memory and file sizes are limited by the shell's `ulimit`, where there is one.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Address space, in mebibytes.
    pub memory_mib: u64,
    /// Seconds of processor time: an endless loop, however busy the machine is.
    pub processor_s: u64,
    /// By the clock: whoever waits for ever.
    pub time: Duration,
}

/// The signal of a program whose processor time is over.
#[cfg(unix)]
const XCPU: i32 = 24;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// It did not, in the time allowed.
    Hang,
}

/// A run that is over.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How.
    pub end: End,
    /// The beginning of what it printed to standard error.
    pub told: String,
    /// How long it took.
    pub took: Duration,
}

/// The shell's line that sets the limits and becomes the program.
pub fn shell_line(limits: &Limits, largest_file: Option<u64>) -> String {
    let file = largest_file.map(|blocks| format!("ulimit -f {blocks}; ")).unwrap_or_default();
    let (memory, processor_s) = (limits.memory_mib * 1024, limits.processor_s);
    let limits = format!("ulimit -c 0; ulimit -S -t {processor_s}; ulimit -v {memory} 2>/dev/null");
    format!("trap '' XFSZ; {limits}; {file}exec \"$0\" \"$@\"")
}

/// Runs the program in a folder. Its temporary files would go to `temporary`.
///
/// # Errors
/// If it cannot be started.
pub fn execute(
    program: &Path,
    arguments: &[String],
    folder: &Path,
    temporary: &PathBuf,
    largest_file: Option<u64>,
    limits: &Limits,
) -> Result<Finished> {
    let started = Instant::now();
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(shell_line(limits, largest_file))
        .arg(program)
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .env_remove("RUST_BACKTRACE")
        .env("TMPDIR", temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("sh")?;
    let printed = child.stdout.take().map(drain);
    let told = child.stderr.take().map(drain);
    let end = wait(&mut child, started, limits.time)?;
    let text = |thread: Option<JoinHandle<Vec<u8>>>| {
        let bytes = thread.and_then(|thread| thread.join().ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    drop(text(printed));
    Ok(Finished { end, told: text(told), took: started.elapsed() })
}

fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut block = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut block) {
            let room = KEPT.saturating_sub(kept.len()).min(count);
            kept.extend_from_slice(&block[..room]);
        }
        kept
    })
}

fn wait(child: &mut Child, started: Instant, time: Duration) -> Result<End> {
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait()? {
            #[cfg(unix)]
            if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
                return Ok(if signal == XCPU { End::Hang } else { End::Signal(signal) });
            }
            return Ok(End::Code(status.code().unwrap_or(-1)));
        }
        if started.elapsed() > time {
            child.kill()?;
            child.wait()?;
            return Ok(End::Hang);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}
