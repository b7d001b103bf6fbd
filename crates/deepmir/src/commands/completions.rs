//! `deepmir completions`.

use std::io::Write;

use clap::CommandFactory;

use crate::cli::{Cli, Completions};

pub fn run(arguments: &Completions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "deepmir", &mut script);
    Ok(std::io::stdout().write_all(&script)?)
}
