//! deepmir finds cerebral microbleeds (CMB) and non-hemorrhage iron deposits (NHID) in brain MRI
//! and tells them apart. Research software; not a medical device.

mod cli;
mod commands;
mod config;
mod progress;
#[cfg(test)]
mod reference;
mod status;

use std::process::ExitCode;

/// musl's own allocator has one lock, for which threads wait.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    status::run(|| {
        let cli = config::parse_arguments(std::env::args_os())?;
        progress::start_logging(&cli.common)?;
        commands::run(cli)
    })
}
