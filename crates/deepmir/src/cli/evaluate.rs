//! Arguments of `deepmir evaluate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use deepmir_lesion::LesionClass;
use deepmir_lesion::matching::MatchRule;

use super::sections::{EXIT_STATUS, sections};

/// A public set of measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// VALDO challenge on microbleeds: Dice, volume difference, F1, count difference
    Valdo,
    /// Metrics Reloaded, for many small lesions: F1, panoptic quality, Dice, surface distance, FROC score
    MetricsReloaded,
}

/// Compare predicted with true label maps, or raters with each other.
///
/// Counts true, missed and false lesions, overlap, volumes and confusions between classes, each with a
/// bootstrap interval over subjects. Where probability maps or a table of candidates lie beside the
/// predictions, computes FROC curves (sensitivity against false positives per scan) too.
///
/// Lesions are the connected components of either label map: those of a prediction that touch count as one, as
/// they do in the truth, so that its lesion table and instance map may have more.
///
/// A mask beside a true label map (*_desc-unknown_mask) says where nobody knows whether there is a lesion.
/// Predictions there that no labelled lesion goes with are left out; their number is printed.
///
/// With --raters, measures the agreement of raters instead: Cohen's kappa, ICC, shared lesions, Dice.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir evaluate --truth BIDS/derivatives/truth --pred OUT -o evaluation
  deepmir evaluate --truth truth --pred pred -o evaluation --match centre:5 --min-volume 2
  deepmir evaluate --truth truth --pred pred -o evaluation --profile valdo
  deepmir evaluate --truth Dataset501_Lesions/labelsTr --pred nnunet-predictions -o evaluation
  deepmir evaluate --raters BIDS/derivatives/annotate -o agreement"),
    ("Files", "  evaluation.json     all results and settings
  subjects.tsv        one row per subject and class: true, predicted, matched, false and missed
                      lesions, sensitivity, precision, F1, Dice, volumes, predictions left out
  pooled.tsv          one row per class and metric: value, 95 % interval, meaning

  With --profile valdo:

  valdo_subjects.tsv  one row per subject and class: the challenge's four measures and its counts
  valdo.tsv           one row per class and measure: median, quartiles, mean, standard deviation

  With --profile metrics-reloaded:

  metrics_reloaded_subjects.tsv, metrics_reloaded.tsv
                      the same of the measures that Metrics Reloaded recommends

  With --raters:

  agreement.json, agreement.tsv
                      agreement of each pair of raters, by class and region
  disagreements.tsv   every lesion that two raters judge differently
  agreement.html      a page with each disagreement"),
    EXIT_STATUS,
]))]
pub struct Evaluate {
    /// True label map, or a folder of them, of BIDS or nnU-Net
    #[arg(long, value_name = "DIR|FILE", required_unless_present = "raters", requires = "pred")]
    pub truth: Option<PathBuf>,
    /// Predicted label map, or a folder of them, of BIDS or nnU-Net
    #[arg(long, value_name = "DIR|FILE", requires = "truth")]
    pub pred: Option<PathBuf>,
    /// Compare raters: the folder that `deepmir annotate` wrote, or any with
    /// *_seg-lesions_desc-RATER_dseg
    #[arg(long, value_name = "DIR", conflicts_with_all = ["truth", "pred", "connectivity", "min_volume", "classes", "froc_threshold", "allow_missing"])]
    pub raters: Option<PathBuf>,
    /// Compute and print a public set of measures too, by its own rules
    ///
    /// --match, --connectivity, --min-volume and unknown masks do not change them. docs/exchange.md
    /// tells the rules.
    #[arg(long, value_name = "PROFILE", value_enum, conflicts_with = "raters")]
    pub profile: Option<Profile>,
    /// Folder for the results
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// When a predicted lesion matches a true one: overlap, centre:MM or iou:T
    #[arg(long = "match", value_name = "RULE", default_value = "overlap")]
    pub rule: MatchRule,
    /// Neighbours that connect voxels into lesions: 26 or 6
    #[arg(long, value_name = "N", default_value = "26", value_parser = ["26", "6"])]
    pub connectivity: String,
    /// Ignore smaller lesions, both true and predicted
    #[arg(long, value_name = "MM3", default_value_t = 0.0)]
    pub min_volume: f64,
    /// Classes to evaluate
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "CMB,NHID")]
    pub classes: Vec<LesionClass>,
    /// Probability from which voxels form the candidates of FROC curves, for predictions without a
    /// table of candidates
    #[arg(long, value_name = "P", default_value_t = 0.3)]
    pub froc_threshold: f32,
    /// Table of subjects that are one patient: participant_id and patient
    ///
    /// The bootstrap draws them together, as it does all sessions of a BIDS subject.
    #[arg(long, value_name = "FILE", conflicts_with = "raters")]
    pub groups: Option<PathBuf>,
    /// Bootstrap resamples over subjects
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub resamples: usize,
    /// Seed of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Ignore subjects with a true label map and no prediction
    #[arg(long)]
    pub allow_missing: bool,
}
