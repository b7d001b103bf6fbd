//! deepmir finds cerebral microbleeds (CMB) and non-hemorrhage iron deposits (NHID) in brain MRI
//! and tells them apart. Research software; not a medical device.
//!
//! The command line as a library of one function, [`run`]: the program `deepmir` calls it, and so does the
//! command that the Python package installs.

#[macro_use]
mod status;
mod cli;
mod commands;
mod config;
mod progress;
#[cfg(test)]
mod reference;
mod similar;
mod terminal;

use std::ffi::OsString;

/// Runs the command line and returns its exit code. The first argument is the program's name.
///
/// Messages go to standard error; nothing panics. It sets the process's panic hook, its logger and its
/// number of threads, so a process calls it once.
pub fn run(arguments: impl Iterator<Item = OsString>) -> u8 {
    status::run(|| {
        let cli = config::parse_arguments(arguments)?;
        progress::start_logging(&cli.common)?;
        commands::run(cli)
    })
}
