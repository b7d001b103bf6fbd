//! Arguments of `deepmir man`.

use std::path::PathBuf;

use clap::Args;

use super::sections::sections;

/// Write manual pages, one for each command, into a folder.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir man ~/.local/share/man/man1
  man deepmir-model-tune"),
    ("Files", "  DIR/deepmir.1          the program
  DIR/deepmir-VERB.1     a command; commands below it likewise, as deepmir-model-tune.1"),
]))]
pub struct Man {
    /// Folder for the pages; created if missing
    #[arg(value_name = "DIR")]
    pub output: PathBuf,
}
