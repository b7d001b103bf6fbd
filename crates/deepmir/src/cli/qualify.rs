//! Arguments of `deepmir qualify`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use deepmir_cases::Modality;
use deepmir_lesion::matching::MatchRule;

use super::sections::sections;

/// Measure how small a lesion is found in your own scans.
///
/// Puts a ladder of lesions of known size into copies of the scans (see `deepmir implant`), predicts them with
/// each set of inputs, and makes one page: sensitivity against diameter and susceptibility with intervals, the
/// smallest lesion that is found nine times in ten, by site, class and set of inputs, what thresholds do, and
/// calls in the untouched scans for a look. An interrupted run continues when the command is repeated.
///
/// Two folders of finished results are compared, the second with the first: two protocols, or two models.
///
/// In the file of --config, [implant.ladder] and [implant.protocol] set what is implanted, and [recon] how raw
/// echoes are reconstructed: see docs/qualify.md.
#[derive(Debug, Args)]
#[command(
    override_usage = "deepmir qualify [OPTIONS] -o <OUT> <BIDS>\n       \
                      deepmir qualify [OPTIONS] -o <OUT> --implanted <DIR> [BIDS]\n       \
                      deepmir qualify [OPTIONS] -o <OUT> <FIRST> <SECOND>",
    after_long_help = sections(&[
        ("Examples", "  deepmir qualify BIDS -o OUT --copies 4
  deepmir qualify --implanted IMPLANTED -o OUT --inputs SWI,SWI+QSM --model my.deepmir
  deepmir qualify OUT-3T OUT-7T -o 3T-and-7T"),
        ("Files", "  qualify.html        the page
  implants.tsv        every implant with every set of inputs: found or not, called what
  sensitivity.tsv     found of all, by site, diameter and susceptibility, with intervals
  false_calls.tsv     calls that are no implant's
  native_calls.tsv    calls in the untouched scans, or where something was called before
  summary.json        all results and settings
  implanted/          the copies with lesions, unless --implanted gives some
  scans/              results of each scan

  Of two folders:

  comparison.html, comparison.json
                      differences of sensitivity and of limits of detection"),
        ("Exit status", "  0    success
  1    the command or its input is wrong; the message names the remedy
  2    internal error
  3    some scans failed, each of them is named; the others are done
  130  interrupted; the same command continues"),
    ]),
)]
pub struct Qualify {
    /// BIDS dataset of the scans, or two folders of results
    #[arg(value_name = "BIDS|OUT", num_args = 0..=2, required_unless_present = "implanted")]
    pub data: Vec<PathBuf>,
    /// Dataset of scans with implants, of `deepmir implant` or `deepmir phantom`, in place of new ones
    #[arg(long, value_name = "DIR", conflicts_with_all = ["copies", "labels"])]
    pub implanted: Option<PathBuf>,
    /// Copies of each scan that lesions are put into
    #[arg(short = 'n', long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=999))]
    pub copies: u16,
    /// Label maps of the scans' own lesions: implants keep clear of them
    #[arg(long, value_name = "DIR")]
    pub labels: Option<PathBuf>,
    /// Folder for the results
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Name of a shipped model, or a model's folder or .deepmir file
    #[arg(long, value_name = "MODEL", default_value = "default")]
    pub model: String,
    /// Only these subjects, with or without sub-
    #[arg(long, value_name = "SUBJECT", num_args = 1.., value_delimiter = ',', alias = "participant-labels")]
    pub participant_label: Vec<String>,
    /// Sets of inputs [default: SWI,SWI+QSM,SWI+QSM+T2w, as far as the model takes them]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub inputs: Vec<InputSet>,
    /// When a call is an implant: overlap, centre:MM or iou:T
    #[arg(long = "match", value_name = "RULE", default_value = "overlap")]
    pub rule: MatchRule,
    /// Average over mirror images of each slice; takes four times as long
    #[arg(long)]
    pub flips: bool,
    /// Read NaN and infinite voxels as zero instead of refusing the file
    #[arg(long)]
    pub nan_to_zero: bool,
    /// Bootstrap resamples over subjects
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub resamples: usize,
    /// Seed of the implants and of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Modalities, joined by `+`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSet(pub Vec<Modality>);

impl FromStr for InputSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split('+').map(|name| name.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}
