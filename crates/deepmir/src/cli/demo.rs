//! Arguments of `deepmir demo`.

use std::path::PathBuf;

use clap::Args;

/// The whole chain on a simulated head: raw echoes, reconstruction, prediction with the shipped model,
/// evaluation against the truth, and a page that shows it all. Needs no data.
#[derive(Debug, Args)]
pub struct Demo {
    /// Folder for everything that is made
    #[arg(short, long, value_name = "DIR", default_value = "deepmir-demo")]
    pub output: PathBuf,
    /// Another seed is another head
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// A shipped model's name, or a model's folder or .deepmir file
    #[arg(long, value_name = "MODEL", default_value = "default")]
    pub model: String,
}
