//! `deepmir doctor`.

mod self_test;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use deepmir_kernels::InstructionSet;
use deepmir_model::shipped;
use deepmir_pipeline::run::default_budget_gb;

use super::NOT_A_DEVICE;
use crate::cli::Common;

/// What a scan of 213 × 256 × 100 voxels takes (docs/results/speed.md).
const SCAN_GB: f64 = 0.7;
/// What the results of such a scan from raw echoes take.
const RESULTS_GB: f64 = 0.2;
/// Programs that show a page.
const BROWSERS: [&str; 8] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "firefox",
    "microsoft-edge",
    "safari",
    "xdg-open",
    "open",
];

/// What a check came to.
enum Verdict {
    /// It works.
    Fine(String),
    /// It works without; what to do.
    Lacking(String),
    /// It does not work; what to do.
    Broken(String),
}

use Verdict::{Broken, Fine, Lacking};

pub fn run(common: &Common) -> anyhow::Result<()> {
    say!("deepmir {}", env!("CARGO_PKG_VERSION"));
    let mut broken = Vec::new();
    let mut tell = |name: &str, verdict: Verdict| {
        let (state, text) = match verdict {
            Fine(text) => ("ok", text),
            Lacking(text) => ("lacking", text),
            Broken(text) => {
                broken.push(name.to_owned());
                ("BROKEN", text)
            }
        };
        say!("{state:<8} {name:<10} {text}");
    };
    tell("processor", processor(common));
    tell("memory", memory());
    tell("disk", disk());
    for model in shipped::MODELS {
        tell("model", whole(model));
    }
    tell("browser", browser());
    tell("self-test", self_test(common));
    if !broken.is_empty() {
        anyhow::bail!("broken: {}; the lines above say what to do", broken.join(", "));
    }
    tracing::info!("{NOT_A_DEVICE}");
    Ok(())
}

fn processor(common: &Common) -> Verdict {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = common.threads.map_or(cores, usize::from);
    let best = InstructionSet::best();
    let text = format!("{cores} cores, {threads} threads, vector instructions: {}", best.name());
    match best {
        InstructionSet::Portable => {
            Lacking(format!("{text}; deepmir is slow without AVX2 or NEON"))
        }
        _ => Fine(text),
    }
}

fn memory() -> Verdict {
    let budget = default_budget_gb();
    let text =
        format!("{budget:.1} GB for a run; a scan of 213 × 256 × 100 voxels takes {SCAN_GB}");
    match budget {
        budget if budget < SCAN_GB => Broken(format!("{text}: end other programs")),
        _ => Fine(text),
    }
}

/// Free space where results would go unless they are told where, and whether a file can be written beside the others that
/// are only needed for a while.
fn disk() -> Verdict {
    let folder = std::env::temp_dir();
    let written = tempfile::NamedTempFile::new_in(&folder);
    if let Err(fault) = written {
        return Broken(format!("cannot write ({fault}); set TMPDIR: {}", folder.display()));
    }
    let Some(free) = free_gb(Path::new(".")) else {
        return Lacking("free space is not known (no df)".to_owned());
    };
    let text = format!("{free:.1} GB free in this folder; a scan's results take {RESULTS_GB}");
    match free {
        free if free < RESULTS_GB => Broken(format!("{text}: give another folder with -o")),
        _ => Fine(text),
    }
}

/// As POSIX's `df` tells it.
fn free_gb(folder: &Path) -> Option<f64> {
    let output = Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let kib: f64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib * 1024.0 / 1e9)
}

/// Opening a model compares its weights with their checksums.
fn whole(model: &shipped::ShippedModel) -> Verdict {
    match model.open() {
        Ok(bundle) => Fine(format!("{} is whole (id {})", model.name, bundle.id())),
        Err(fault) => Broken(format!("{}: {fault}; install deepmir again", model.name)),
    }
}

fn browser() -> Verdict {
    match BROWSERS.into_iter().find_map(in_path) {
        Some(path) => Fine(format!("pages open with {}", path.display())),
        None => Lacking("none here: copy the pages to a machine that has one".to_owned()),
    }
}

fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn self_test(common: &Common) -> Verdict {
    let started = Instant::now();
    let [expected, _] = self_test::EXPECTED;
    match self_test::found(common) {
        Ok(found) if found == self_test::EXPECTED => Fine(format!(
            "{expected} of {expected} simulated microbleeds found and nothing else, as expected, in {:.1} s",
            started.elapsed().as_secs_f64()
        )),
        Ok([there, elsewhere]) => Broken(format!(
            "{there} of {expected} simulated microbleeds found, and {elsewhere} places elsewhere; try again with \
             DEEPMIR_INSTRUCTION_SET=portable, and report this output"
        )),
        Err(fault) => {
            Broken(format!("{}; install deepmir again", crate::status::with_causes(&fault)))
        }
    }
}
