//! Arguments of `deepmir phantom`.

use std::path::PathBuf;

use clap::Args;

/// Simulates a BIDS dataset of subjects with microbleeds, iron deposits and what looks like them; the
/// truth lies in its derivatives. A run that was stopped goes on where it was.
#[derive(Debug, Args)]
pub struct Phantom {
    /// Folder of the dataset
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// How many subjects
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub subjects: u16,
    /// Sessions of each: lesions appear, grow and vanish from one to the next
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=20))]
    pub sessions: u16,
    /// A whole-brain label map with FreeSurfer's numbers, or a folder of them, in place of the
    /// built-in head
    #[arg(long, value_name = "DIR|FILE")]
    pub anatomy: Option<PathBuf>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Give every subject a scanner, a protocol and a reconstruction of its own
    #[arg(long)]
    pub randomize: bool,
    /// Write the raw echoes too
    #[arg(long)]
    pub raw: bool,
    /// Leave SWI, QSM and T2w of the whole head, skull and all
    #[arg(long)]
    pub whole_head: bool,
    /// Field strength in tesla [default: 3]
    #[arg(long, value_name = "T")]
    pub field_strength: Option<f64>,
}
