//! The program `deepmir`.

use std::process::ExitCode;

/// musl's own allocator has one lock, for which threads wait.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(deepmir::run(std::env::args_os()))
}
