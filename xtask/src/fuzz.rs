//! `cargo xtask fuzz`: the program on damaged files.

use std::process::Command;

use crate::browser::target;
use crate::command::{cargo, status};

/// Builds the program and the fuzzer as the tests do, with overflow checks, and runs them.
pub fn run(arguments: &[String]) -> Result<(), String> {
    // The selection of the tests: nothing is compiled again for other features.
    let selection = ["build", "--quiet", "--workspace", "--exclude", "deepmir-bench"];
    cargo(&[&selection[..], &["--bin", "deepmir", "--bin", "deepmir-fuzz"]].concat())?;
    let programs = target().join("debug");
    let mut command = Command::new(programs.join("deepmir-fuzz"));
    command.arg(programs.join("deepmir")).arg(target().join("fuzz")).args(arguments);
    status(command, &format!("deepmir-fuzz {}", arguments.join(" ")))
}
