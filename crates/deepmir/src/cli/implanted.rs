//! Arguments of commands that learn from implanted lesions.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct Implanted {
    /// Learn from lesions implanted in the scans of DATA, a BIDS dataset, N copies of each scan (4 if N is left out)
    ///
    /// The scans need no label maps. What the model calls in the untouched scans, at half of its thresholds, is
    /// unknown: nothing is learned there. Labelled scans keep their labels, and are learned from as they are, too.
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        default_missing_value = "4",
        value_parser = clap::value_parser!(u16).range(1..=100)
    )]
    pub implant: Option<u16>,
    /// With --implant, folder of the implanted scans
    #[arg(long, value_name = "DIR", requires = "implant")]
    pub implanted: Option<PathBuf>,
}
