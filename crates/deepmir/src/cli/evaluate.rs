//! Arguments of `deepmir evaluate`.

use std::path::PathBuf;

use clap::Args;
use deepmir_lesion::LesionClass;
use deepmir_lesion::matching::MatchRule;

/// Compares predicted with true label maps: lesions found, missed and false, overlap, volumes,
/// which class was taken for which, and sensitivity against false positives where probability maps
/// lie beside the label maps.
#[derive(Debug, Args)]
pub struct Evaluate {
    /// True label map, or a folder of them
    #[arg(long, value_name = "DIR|FILE", required_unless_present = "raters", requires = "pred")]
    pub truth: Option<PathBuf>,
    /// Predicted label map, or a folder of them
    #[arg(long, value_name = "DIR|FILE", requires = "truth")]
    pub pred: Option<PathBuf>,
    /// Compare raters with each other instead: the folder that `deepmir annotate` wrote, or any with
    /// *_seg-lesions_desc-RATER_dseg
    #[arg(long, value_name = "DIR", conflicts_with_all = ["truth", "pred", "connectivity", "min_volume", "classes", "froc_extent", "allow_missing"])]
    pub raters: Option<PathBuf>,
    /// Folder for evaluation.json, subjects.tsv and pooled.tsv
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// When a predicted lesion is a true one: overlap, centre:MM or iou:T
    #[arg(long = "match", value_name = "RULE", default_value = "overlap")]
    pub rule: MatchRule,
    /// Neighbours that connect voxels to lesions: 26 or 6
    #[arg(long, value_name = "N", default_value = "26", value_parser = ["26", "6"])]
    pub connectivity: String,
    /// Leave out lesions smaller than this on either side
    #[arg(long, value_name = "MM3", default_value_t = 0.0)]
    pub min_volume: f64,
    /// Classes that count
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "CMB,NHID")]
    pub classes: Vec<LesionClass>,
    /// Probability that makes up the candidates of FROC curves, where the prediction has no table of them
    #[arg(long, value_name = "P", default_value_t = 0.3)]
    pub froc_extent: f32,
    /// Resamples of the bootstrap over subjects
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub resamples: usize,
    /// Seed of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Evaluate the subjects that were predicted though others have a truth too
    #[arg(long)]
    pub allow_missing: bool,
}
