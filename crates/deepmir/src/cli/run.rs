//! Arguments of `deepmir run`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// Each subject by itself: maps, lesions, a page
    Participant,
    /// All that participant runs left in OUT: the cohort's tables and its page
    Group,
}

/// A whole BIDS dataset, unattended: every scan from what there is to lesions, tables and pages; then
/// the cohort's tables. A run that was stopped, or whose inputs, settings or model have changed, does
/// only what is missing. Exit code 3 says that some subjects failed; each is named, and the others are
/// done.
#[derive(Debug, Args)]
pub struct Run {
    /// BIDS dataset
    #[arg(value_name = "BIDS")]
    pub data: PathBuf,
    /// Folder of the derivatives
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
    /// Subjects one by one, or what they came to together
    #[arg(value_name = "LEVEL")]
    pub level: Level,
    /// Only these subjects
    #[arg(long, value_name = "SUBJECT", num_args = 1.., value_delimiter = ',')]
    pub participant_label: Vec<String>,
    /// Only these sessions
    #[arg(long, value_name = "SESSION", num_args = 1.., value_delimiter = ',')]
    pub session_label: Vec<String>,
    /// Say what would be done with each scan and why, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Shipped models' names, or models' folders or .deepmir files: for each scan the first whose
    /// images are there is used
    #[arg(long, value_name = "MODEL", num_args = 1.., value_delimiter = ',', default_value = "default")]
    pub model: Vec<String>,
    /// Folder with brain masks (*_desc-brain_mask) for scans that have none beside them
    #[arg(long, value_name = "DIR")]
    pub masks: Option<PathBuf>,
    /// Subjects at once [default: one a core, as far as memory goes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Memory that all subjects at work may use together [default: four fifths of what is free]
    #[arg(long, value_name = "GB")]
    pub mem_gb: Option<f64>,
    /// Go on from what earlier runs did: the default, for those whose config file says fresh
    #[arg(long, overrides_with = "fresh")]
    pub resume: bool,
    /// Do everything again
    #[arg(long, overrides_with = "resume")]
    pub fresh: bool,
    /// Read every input again to see whether it has changed, though its size and time have not
    #[arg(long)]
    pub rehash: bool,
    /// Take a folder without dataset_description.json for a BIDS dataset
    #[arg(long)]
    pub skip_bids_validation: bool,
    /// Average over mirror images of each slice: four times the work
    #[arg(long)]
    pub flips: bool,
    /// Read NaN and infinite voxels as zero instead of refusing the file
    #[arg(long)]
    pub nan_to_zero: bool,
}
