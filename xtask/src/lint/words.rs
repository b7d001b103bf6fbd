//! Private words of earlier versions that must not come back.

use std::process::Command;

use crate::command::root;

/// The words, as an extended regular expression that does not match itself.
const WORDS: &str = "second.?look|closer.?look|looked.?at|compan[y]|shortag[e]";

/// Where they may stand: readers of model formats 2 and 3, and what tells of the past.
const ALLOWED: [&str; 6] = [
    ":!CHANGELOG.md",
    ":!docs/history",
    ":!crates/**/legacy*",
    ":!crates/**/legacy/**",
    ":!crates/**/fixtures/**",
    ":!LICENSE*",
];

/// Searches every tracked text file.
pub fn check() -> Result<(), String> {
    eprintln!("» git grep, for words of earlier versions");
    let mut command = Command::new("git");
    command.current_dir(root()).args(["grep", "-nIiE", WORDS, "--", "."]).args(ALLOWED);
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("git cannot be run ({error}): skipped");
            return Ok(());
        }
    };
    match output.status.code() {
        // Nothing was found.
        Some(1) => Ok(()),
        Some(0) => {
            eprint!("{}", String::from_utf8_lossy(&output.stdout));
            Err("words of earlier versions; see the glossary in ARCHITECTURE.md".to_owned())
        }
        // A source archive has no history to search.
        _ => {
            eprintln!("{}: skipped", String::from_utf8_lossy(&output.stderr).trim());
            Ok(())
        }
    }
}
