//! `deepmir completions`.

use clap::CommandFactory;

use crate::cli::{Cli, Completions};
use crate::status::print;

pub fn run(arguments: &Completions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "deepmir", &mut script);
    print(&script);
    Ok(())
}
