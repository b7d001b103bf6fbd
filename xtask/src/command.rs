//! Running cargo and other programs in the repository's root.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// The repository's root.
pub fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map(PathBuf::from).unwrap_or(manifest)
}

/// Whether cargo has this subcommand.
pub fn has_subcommand(name: &str) -> bool {
    succeeds(Command::new(cargo_path()).args([name, "--version"]))
}

/// Whether a program is installed.
pub fn has_program(name: &str) -> bool {
    succeeds(Command::new(name).arg("--version"))
}

/// Whether a command ends with success; what it prints is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    command.current_dir(root()).output().is_ok_and(|output| output.status.success())
}

/// Runs cargo.
pub fn cargo(arguments: &[&str]) -> Result<(), String> {
    cargo_with(arguments, &[], &[])
}

/// Runs cargo with further arguments and variables.
pub fn cargo_with(
    arguments: &[&str],
    more: &[String],
    variables: &[(&str, String)],
) -> Result<(), String> {
    let mut command = Command::new(cargo_path());
    command.args(arguments).args(more);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    status(command, &format!("cargo {}", arguments.join(" ")))
}

/// Runs a command, printing its name first.
pub fn status(mut command: Command, name: &str) -> Result<(), String> {
    eprintln!("» {name}");
    match command.current_dir(root()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(name.to_owned()),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

/// What a command prints; an error if it fails.
pub fn output(mut command: Command, name: &str) -> Result<String, String> {
    let output = command.current_dir(root()).output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr).trim());
        return Err(name.to_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The cargo that started this program.
pub fn cargo_path() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}
