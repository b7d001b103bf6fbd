//! Progress on standard error: bars on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::cli::Common;

/// Plain lines come no more often than this.
const EVERY: Duration = Duration::from_secs(10);

/// Sends log lines to standard error, as the options say, and sizes the thread pool.
pub fn start_logging(common: &Common) -> anyhow::Result<()> {
    let level = match (common.quiet, common.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::INFO,
        (false, 1) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    if common.log_json {
        builder.json().init();
    } else {
        builder.event_format(Plain { levels: common.verbose > 0 }).init();
    }
    if let Some(threads) = common.threads {
        rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads)).build_global()?;
    }
    Ok(())
}

/// Log lines for people: the message, and before it that it is a warning.
struct Plain {
    /// Whether the level stands before other messages, too.
    levels: bool,
}

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        match *event.metadata().level() {
            Level::WARN => writer.write_str("warning: ")?,
            level if self.levels => write!(writer, "{level:>5} ")?,
            _ => {}
        }
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// Progress of one piece of work.
pub struct Progress {
    bar: Option<ProgressBar>,
    what: String,
    total: u64,
    /// Steps of earlier runs.
    before: u64,
    started: Instant,
    last_line: Instant,
    lines: bool,
}

impl Progress {
    /// Of `total` steps.
    pub fn new(what: &str, total: u64, common: &Common) -> Self {
        let terminal = std::io::stderr().is_terminal() && !common.log_json;
        let bar = (terminal && !common.quiet).then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let template = "{prefix} {bar:30} {pos}/{len} [{elapsed} < {eta}] {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_prefix(what.to_owned());
            bar
        });
        let now = Instant::now();
        Self {
            bar,
            what: what.to_owned(),
            total,
            before: 0,
            started: now,
            last_line: now,
            lines: !terminal && !common.quiet,
        }
    }

    /// So many steps are done. `message` is made only if it is shown.
    pub fn set(&mut self, done: u64, message: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(message());
        } else if self.lines && self.last_line.elapsed() >= EVERY {
            self.last_line = Instant::now();
            let seconds = self.started.elapsed().as_secs_f64();
            let left = seconds_left(seconds, self.before, done, self.total);
            tracing::info!("{} {done}/{} ({left:.0} s left) {}", self.what, self.total, message());
        }
    }

    /// Steps that were done before this run do not count towards the time left.
    pub fn resume_at(&mut self, done: u64) {
        self.before = done;
        self.started = Instant::now();
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.reset_eta();
        }
    }

    /// Does something that writes to the terminal without breaking the bar.
    pub fn aside(&self, work: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(work),
            None => work(),
        }
    }

    /// Logs a line without breaking the bar.
    pub fn log(&self, line: &str) {
        self.aside(|| tracing::info!("{line}"));
    }

    /// Logs a warning without breaking the bar.
    pub fn warn(&self, line: &str) {
        self.aside(|| tracing::warn!("{line}"));
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Runs work that tells how much it has done, of how much, and shows it.
pub fn with_steps<T, E>(
    what: &str,
    common: &Common,
    work: impl FnOnce(&(dyn Fn(usize, usize) + Sync)) -> Result<T, E>,
) -> Result<T, E> {
    // How much there is to do is known at the first step.
    let progress: Mutex<Option<Progress>> = Mutex::new(None);
    let done = work(&|done, total| {
        if let Ok(mut progress) = progress.lock() {
            let progress =
                progress.get_or_insert_with(|| Progress::new(what, total as u64, common));
            progress.set(done as u64, String::new);
        }
    });
    if let Ok(Some(progress)) = progress.lock().as_deref() {
        progress.finish();
    }
    done
}

/// Seconds for the steps that are left, by those of this run: `done` less those `before` it.
fn seconds_left(seconds: f64, before: u64, done: u64, total: u64) -> f64 {
    let of_this_run = done.saturating_sub(before).max(1);
    seconds / of_this_run as f64 * total.saturating_sub(done) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_an_earlier_run_do_not_shorten_the_time_left() {
        assert_eq!(seconds_left(40.0, 0, 20, 100), 160.0);
        assert_eq!(seconds_left(20.0, 80, 90, 100), 20.0);
        assert_eq!(seconds_left(3.0, 80, 80, 100), 60.0);
    }
}
