//! `cargo xtask lint`: everything that a change must pass besides the tests.
//!
//! Cheap checks come first. Clippy uses the profile of the tests, so that build scripts and
//! procedural macros are compiled once for both.

mod dependencies;
mod links;
mod packaging;
mod words;

use std::process::Command;

use crate::command::{cargo, cargo_path, has_program, has_subcommand, status, succeeds};

/// Runs every check; stops at the first that fails.
pub fn run() -> Result<(), String> {
    cargo(&["fmt", "--all", "--check"])?;
    links::check()?;
    words::check()?;
    packaging::check()?;
    dependencies::check()?;
    let workspace = ["clippy", "--workspace", "--exclude", "deepmir-bench", "--all-targets"];
    cargo(&[&workspace[..], &["--", "-D", "warnings"]].concat())?;
    cargo(&["clippy", "--package", "deepmir-bench", "--all-targets", "--", "-D", "warnings"])?;
    deny()?;
    book()
}

/// Licences, bans and sources of the dependencies, and known vulnerabilities where their database
/// can be fetched.
fn deny() -> Result<(), String> {
    if !has_subcommand("deny") {
        eprintln!("cargo-deny is not installed (cargo install cargo-deny --locked): skipped");
        return Ok(());
    }
    cargo(&["deny", "--log-level", "error", "check", "bans", "licenses", "sources"])?;
    if succeeds(Command::new(cargo_path()).args(["deny", "fetch", "db"])) {
        cargo(&["deny", "--log-level", "error", "check", "--disable-fetch", "advisories"])
    } else {
        eprintln!("the database of security advisories cannot be fetched: skipped");
        Ok(())
    }
}

/// The book of `docs/`.
fn book() -> Result<(), String> {
    if !has_program("mdbook") {
        eprintln!("mdbook is not installed (cargo install mdbook --locked): skipped");
        return Ok(());
    }
    let mut command = Command::new("mdbook");
    command.args(["build", "docs"]);
    status(command, "mdbook build docs")
}
