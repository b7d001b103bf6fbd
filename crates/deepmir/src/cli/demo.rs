//! Arguments of `deepmir demo`.

use std::path::PathBuf;

use clap::Args;

use super::sections::sections;

/// Run the whole chain on a simulated head; needs no data.
///
/// Simulates a head with lesions and mimics, acquires raw echoes of it, reconstructs them, finds the
/// lesions with the shipped model, evaluates the result against the truth and writes a page that shows
/// every step.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir demo
  deepmir demo --seed 2 -o another-head"),
    ("Files", "  DIR/phantom/                   the simulated BIDS dataset and its truth
  DIR/results/                   the maps of `deepmir recon`, and all that `deepmir predict` and
                                 `deepmir evaluate` write
  DIR/results/*_report.html      the page"),
]))]
pub struct Demo {
    /// Folder for all results
    #[arg(short, long, value_name = "DIR", default_value = "deepmir-demo")]
    pub output: PathBuf,
    /// Seed of the simulated head
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Name of a shipped model, or a model's folder or .deepmir file
    #[arg(long, value_name = "MODEL", default_value = "default")]
    pub model: String,
}
