//! The project's chores: `cargo xtask test`, `test-gpu`, `fuzz`, `lint`, `docs`, `licences`, `dist` and `timing`.
//!
//! No dependencies, so that it builds in a second and runs before anything else does.

mod browser;
mod command;
mod fuzz;
mod licences;
mod lint;
mod python;

use std::env;
use std::process::{Command, ExitCode};
use std::time::Instant;

use command::{cargo, cargo_with, has_subcommand, status};

const USAGE: &str = "\
usage: cargo xtask <chore>

  test [FILTER…]   run every test of every crate, then the documentation's examples, two minutes of `fuzz`
                   and the tests of the Python package; with a filter, the crates' tests of that name
  test-gpu         run the tests of the networks on a GPU as well (needs a Vulkan device)
  fuzz [MINUTES] [--seed N] [--jobs N] [--case N] [--cases N] [--kills N]
                   run the program on damaged files (default: 2 minutes, seed 1, all cores); a case that shows
                   a fault is kept in target/fuzz/cases; with --kills, kill it at random moments instead
  lint             check format, clippy, dependencies, links and words
  docs             generate docs/cli.md from the definitions of the command line
  licences FILE [TARGET]
                   write the licence texts of all that is linked into the program for a target
  dist             build the release's archives and the container's root folder, and try them
  timing BIDS [N]  time the annotation page's first image and a stroke, N times (default 5)";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let started = Instant::now();
    let (chore, outcome) = match arguments.next().as_deref() {
        Some("test") => ("tests", test(&arguments.collect::<Vec<_>>())),
        Some("test-gpu") => ("tests on the GPU", test_gpu()),
        Some("fuzz") => ("damaged files", fuzz::run(&arguments.collect::<Vec<_>>())),
        Some("lint") => ("lints", lint::run()),
        Some("docs") => ("generated pages", docs()),
        Some("licences") => ("licences", licences(&arguments.collect::<Vec<_>>())),
        Some("dist") => ("checks of the release", dist()),
        Some("timing") => ("timings", timing(&arguments.collect::<Vec<_>>())),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(1);
        }
    };
    let seconds = started.elapsed().as_secs();
    match outcome {
        Ok(()) => {
            println!("deepmir: all {chore} passed in {seconds} s");
            ExitCode::SUCCESS
        }
        Err(step) => {
            println!("deepmir: {chore} FAILED at `{step}` after {seconds} s");
            ExitCode::from(1)
        }
    }
}

/// Runs the tests under nextest where it is installed (one process for each test, so a crash names
/// its test), else under cargo's own runner.
///
/// Tests of the annotation page run in a browser, which is set up first.
fn test(filters: &[String]) -> Result<(), String> {
    let browser = if filters.is_empty() || filters.iter().any(|filter| filter.contains("browser")) {
        browser::set_up()
    } else {
        Vec::new()
    };
    if has_subcommand("nextest") {
        let arguments =
            ["nextest", "run", "--workspace", "--exclude", "deepmir-bench", "--no-fail-fast"];
        cargo_with(&arguments, filters, &browser)?;
    } else {
        eprintln!("cargo-nextest is not installed; using `cargo test` (slower, same tests)");
        let arguments = [
            "test",
            "--workspace",
            "--exclude",
            "deepmir-bench",
            "--no-fail-fast",
            "--lib",
            "--bins",
            "--tests",
        ];
        cargo_with(&arguments, filters, &browser)?;
    }
    if filters.is_empty() {
        cargo(&["test", "--workspace", "--exclude", "deepmir-bench", "--doc", "--quiet"])?;
        // No more cases than an hour of the same seed has tried, however fast the machine is.
        fuzz::run(&["2", "--cases", "5000"].map(str::to_owned))?;
        python::test()?;
    }
    Ok(())
}

/// Compares the two engines of the networks, of which one computes on a GPU.
fn test_gpu() -> Result<(), String> {
    cargo(&["test", "--package", "deepmir-net", "--features", "gpu"])
}

/// Rewrites the pages that are generated from the program: the test that compares them does it.
fn docs() -> Result<(), String> {
    let variables = [("DEEPMIR_UPDATE_DOCS", "1".to_owned())];
    cargo_with(&["test", "--package", "deepmir", "--lib", "reference"], &[], &variables)
}

/// Writes the licence texts of the build for a target, by default this machine's.
fn licences(arguments: &[String]) -> Result<(), String> {
    match arguments {
        [file] => licences::write(file, None),
        [file, target] => licences::write(file, Some(target)),
        _ => Err(USAGE.to_owned()),
    }
}

/// Builds what is released and tries it; minutes, so no part of the tests.
fn dist() -> Result<(), String> {
    for script in ["dist/build", "dist/test"] {
        let mut command = Command::new("bash");
        command.arg(script);
        status(command, script)?;
    }
    Ok(())
}

/// Times the annotation page of the release build in a browser, on a dataset.
fn timing(arguments: &[String]) -> Result<(), String> {
    let [dataset, runs @ ..] = arguments else { return Err(USAGE.to_owned()) };
    let browser = browser::set_up();
    if browser.is_empty() {
        return Err("a browser".to_owned());
    }
    cargo(&["build", "--release", "--quiet", "--package", "deepmir"])?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/annotate/timing.mjs");
    let program = browser::target().join("release/deepmir");
    let mut node = Command::new("node");
    node.arg(script).arg(program).arg(dataset).args(runs.first()).envs(browser);
    match node.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("node bench/annotate/timing.mjs".to_owned()),
        Err(error) => Err(format!("node: {error}")),
    }
}
