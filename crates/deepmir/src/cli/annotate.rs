//! Arguments of `deepmir annotate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::labels::Labels;
use super::listen::Listen;
use super::sections::{EXIT_STATUS, sections};

/// Whose annotations an export takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CombineName {
    /// Those of a single rater
    One,
    /// Voxels that any rater marked
    Union,
    /// Voxels that all raters marked as the same class
    Intersection,
    /// Those adjudicated between two raters
    Adjudicated,
}

/// Annotate lesions by hand in a browser.
///
/// Serves a page on this machine for annotating lesions, reviewing a model's predictions and adjudicating
/// between raters; the protocol is shown beside the images. With --visits, both visits of a pair are shown side by
/// side; each change that the program proposes is accepted, corrected or rejected, and the sheet of ARIA-H is
/// signed. With --import or --export, reads or writes label maps instead and exits.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir annotate BIDS --rater anna
  deepmir annotate BIDS --rater anna --candidates predictions
  deepmir annotate BIDS --rater anna --import BIDS/derivatives/old
  deepmir annotate BIDS --export labels --raters anna,ben --combine union
  deepmir annotate --visits change --rater anna
  deepmir annotate --visits change --export signed"),
    ("Files", "  In derivatives/annotate of the dataset, or the folder of --derivatives:

  annotate.sqlite                        raters, annotations, every operation with its time
  sub-*/*_seg-lesions_desc-RATER_dseg.nii.gz
                                         annotations of a rater: 1 CMB, 2 NHID
  sub-*/*_seg-lesions_desc-RATERReview_dseg.nii.gz
                                         the same, after reviewing a model's predictions
  sub-*/*_seg-lesions_desc-adjudicated_dseg.nii.gz
                                         adjudicated between two raters
  sub-*/*_lesions.tsv                    lesions with certainty, place, measures, origin and comment

  With --visits, in the folder `reading` of RESULTS, or that of --derivatives:

  annotate.sqlite                        as above
  sub-*/*_seg-visits_desc-RATER_dseg.nii.gz, *_lesions.tsv
                                         lesions of the follow-up, and what became of each
  sub-*/*_seg-visits_desc-RATER_ariah.html, .json
                                         the sheet of ARIA-H: a draft until it is signed"),
    EXIT_STATUS,
]))]
pub struct Annotate {
    /// BIDS dataset with SWI, QSM and T2w
    #[arg(value_name = "BIDS", required_unless_present = "visits")]
    pub data: Option<PathBuf>,
    /// Read pairs of visits for what has changed: results of `deepmir compare`, or of `deepmir run`
    #[arg(
        long, value_name = "RESULTS", num_args = 1..,
        conflicts_with_all = ["data", "candidates", "import", "combine", "without_possible"]
    )]
    pub visits: Vec<PathBuf>,
    /// Folder for annotations [default: derivatives/annotate of BIDS, or reading of RESULTS]
    #[arg(long, value_name = "OUT")]
    pub derivatives: Option<PathBuf>,
    /// Name of the rater, letters and digits [default: the page asks]
    #[arg(long, value_name = "ID")]
    pub rater: Option<String>,
    /// Folder of a model's label maps, to review once a case is done without them
    #[arg(long, value_name = "DIR")]
    pub candidates: Option<PathBuf>,
    #[command(flatten)]
    pub only: Labels,
    #[command(flatten)]
    pub listen: Listen,
    /// Import the label maps of a folder as annotations of --rater, and exit
    #[arg(long, value_name = "DIR", requires = "rater", conflicts_with = "export")]
    pub import: Option<PathBuf>,
    /// Export a label map of each finished case, for training, or signed readings of visits, and exit
    #[arg(long, value_name = "DIR")]
    pub export: Option<PathBuf>,
    /// Raters to export
    #[arg(long, value_name = "LIST", num_args = 1.., value_delimiter = ',', requires = "export")]
    pub raters: Vec<String>,
    /// How to combine raters in an export [default: one]
    #[arg(long, value_name = "RULE", requires = "export")]
    pub combine: Option<CombineName>,
    /// Export definite lesions only
    #[arg(long, requires = "export")]
    pub without_possible: bool,
}
