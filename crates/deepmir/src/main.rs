//! The program `deepmir`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(deepmir::run(std::env::args_os()))
}
