//! Arguments of `deepmir annotate`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Whose marks an export takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CombineName {
    /// The one rater's
    One,
    /// Voxels that any of the raters marked
    Union,
    /// Voxels that all of the raters marked as one class
    Intersection,
    /// What was settled between two raters
    Adjudicated,
}

/// Serves a page on this machine for marking lesions by hand, reviewing a model's and settling
/// between raters; or imports and exports marks. The protocol is shown beside the images.
#[derive(Debug, Args)]
pub struct Annotate {
    /// BIDS dataset with SWI, QSM and T2w
    #[arg(value_name = "BIDS")]
    pub data: PathBuf,
    /// Folder for the marks [default: derivatives/annotate of the dataset]
    #[arg(long, value_name = "OUT")]
    pub derivatives: Option<PathBuf>,
    /// Who marks: letters and digits [default: the page asks]
    #[arg(long, value_name = "ID")]
    pub rater: Option<String>,
    /// Folder of a model's label maps, shown for review once a case is done without them
    #[arg(long, value_name = "DIR")]
    pub candidates: Option<PathBuf>,
    /// Only these subjects
    #[arg(long, value_name = "SUBJECT", num_args = 1.., value_delimiter = ',')]
    pub participant_label: Vec<String>,
    /// Port [default: a free one]
    #[arg(long, value_name = "P", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
    /// Address to listen on; others than this machine's own need --i-understand
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Images and names can then be read by whoever is on the network and has the address
    #[arg(long)]
    pub i_understand: bool,
    /// Take label maps of this folder over as the marks of --rater, and end
    #[arg(long, value_name = "DIR", requires = "rater", conflicts_with = "export")]
    pub import: Option<PathBuf>,
    /// Write one label map a finished case for training to this folder, and end
    #[arg(long, value_name = "DIR")]
    pub export: Option<PathBuf>,
    /// Whose marks to export
    #[arg(long, value_name = "LIST", num_args = 1.., value_delimiter = ',', requires = "export")]
    pub raters: Vec<String>,
    /// How to combine them [default: one]
    #[arg(long, value_name = "RULE", requires = "export")]
    pub combine: Option<CombineName>,
    /// Export definite lesions only
    #[arg(long, requires = "export")]
    pub without_possible: bool,
}
