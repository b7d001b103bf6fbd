//! Arguments of `deepmir view`.

use std::path::PathBuf;

use clap::Args;

use super::labels::Labels;
use super::listen::Listen;
use super::sections::{EXIT_STATUS, sections};

/// Look at results in a browser: images, lesions, and candidates that were not called.
///
/// Serves a page on this machine. It shows the images of each scan in linked panes, the lesions in colour, and, from
/// the probability that a slider sets, the candidates that the model did not call. Nothing is written.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir view results
  deepmir view OUT --participant-label 07
  deepmir view OUT/sub-07 --port 8600"),
    EXIT_STATUS,
]))]
pub struct View {
    /// Folders that `deepmir predict` or `deepmir run` wrote
    #[arg(value_name = "RESULTS", required = true)]
    pub results: Vec<PathBuf>,
    #[command(flatten)]
    pub only: Labels,
    #[command(flatten)]
    pub listen: Listen,
}
