//! Arguments of `deepmir completions`.

use clap::Args;
use clap_complete::Shell;

use super::sections::sections;

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[(
    "Examples",
    "  deepmir completions bash > ~/.local/share/bash-completion/completions/deepmir
  deepmir completions zsh > ~/.zfunc/_deepmir
  deepmir completions fish > ~/.config/fish/completions/deepmir.fish",
)]))]
pub struct Completions {
    /// Shell to print the script for
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}
