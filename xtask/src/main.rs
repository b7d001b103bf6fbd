//! The project's chores: `cargo xtask test`, `cargo xtask lint`, `cargo xtask docs` and `cargo xtask timing`.
//!
//! No dependencies, so that it builds in a second and runs before anything else does.

mod browser;

use std::env;
use std::process::{Command, ExitCode};
use std::time::Instant;

const USAGE: &str = "\
usage: cargo xtask <chore>

  test [FILTER…]   every test of every crate, then the documentation's examples
  lint             rustfmt, clippy with warnings as errors, and cargo-deny where it is installed
  docs             docs/cli.md anew, from the definitions of the command line
  timing BIDS [N]  how long a rater waits for the annotation page's first image and for a stroke, N times (5)";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let started = Instant::now();
    let (chore, outcome) = match arguments.next().as_deref() {
        Some("test") => ("tests", test(&arguments.collect::<Vec<_>>())),
        Some("lint") => ("lints", lint()),
        Some("docs") => ("generated pages", docs()),
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

/// Runs the tests under nextest where it is installed (a process a test, so a crash names its
/// test), else under cargo's own runner.
///
/// Tests of the annotation page play in a browser, which is set up first.
fn test(filters: &[String]) -> Result<(), String> {
    let browser = if filters.is_empty() || filters.iter().any(|filter| filter.contains("browser")) {
        browser::set_up()
    } else {
        Vec::new()
    };
    if has_subcommand("nextest") {
        run(&["nextest", "run", "--workspace", "--no-fail-fast"], filters, &browser)?;
    } else {
        eprintln!("cargo-nextest is not installed; using `cargo test` (slower, same tests)");
        run(
            &["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"],
            filters,
            &browser,
        )?;
    }
    if filters.is_empty() {
        cargo(&["test", "--workspace", "--doc", "--quiet"], &[])?;
    }
    Ok(())
}

fn lint() -> Result<(), String> {
    cargo(&["fmt", "--all", "--check"], &[])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[])?;
    if has_subcommand("deny") {
        cargo(&["deny", "--log-level", "error", "check", "bans", "licenses", "sources"], &[])?;
    } else {
        eprintln!("cargo-deny is not installed (cargo install cargo-deny --locked); left out");
    }
    Ok(())
}

/// Rewrites the pages that are generated from the program: the test that compares them does it.
fn docs() -> Result<(), String> {
    let variables = [("DEEPMIR_UPDATE_DOCS", "1".to_owned())];
    run(&["test", "--package", "deepmir", "--bin", "deepmir", "reference"], &[], &variables)
}

/// Times the annotation page of the release build in a browser, on a dataset.
fn timing(arguments: &[String]) -> Result<(), String> {
    let [dataset, runs @ ..] = arguments else { return Err(USAGE.to_owned()) };
    let browser = browser::set_up();
    if browser.is_empty() {
        return Err("a browser".to_owned());
    }
    cargo(&["build", "--release", "--quiet", "--package", "deepmir"], &[])?;
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

fn has_subcommand(name: &str) -> bool {
    Command::new(cargo_path())
        .args([name, "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
}

fn cargo(arguments: &[&str], more: &[String]) -> Result<(), String> {
    run(arguments, more, &[])
}

fn run(arguments: &[&str], more: &[String], variables: &[(&str, String)]) -> Result<(), String> {
    let shown = format!("cargo {}", arguments.join(" "));
    eprintln!("» {shown}");
    let variables = variables.iter().map(|(name, value)| (name, value));
    match Command::new(cargo_path()).args(arguments).args(more).envs(variables).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(shown),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

fn cargo_path() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}
