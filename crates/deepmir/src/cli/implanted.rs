//! Arguments of commands that learn from implanted lesions.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct Implanted {
    /// Implant lesions in the scans of DATA, a BIDS dataset, and learn from these: N copies of each scan (4 if N is
    /// left out)
    ///
    /// The scans need no label maps. What the model calls in the untouched scans, at half of its thresholds, is
    /// unknown: nothing is learned there. Labelled scans keep their labels, and are learned from as they are, too.
    /// Lesions are put into SWI, QSM and T2w; reconstruct scans of raw echoes first.
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        default_missing_value = "4",
        value_parser = clap::value_parser!(u16).range(1..=99)
    )]
    pub implant: Option<u16>,
    /// Folder of the implanted scans; without --implant, one that `deepmir implant` wrote of DATA
    #[arg(long, value_name = "DIR")]
    pub implanted: Option<PathBuf>,
}

impl Implanted {
    /// Whether implants are to be learned from.
    pub fn asked(&self) -> bool {
        self.implant.is_some() || self.implanted.is_some()
    }
}
