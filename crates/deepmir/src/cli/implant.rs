//! Arguments of `deepmir implant`.

use std::path::PathBuf;

use clap::Args;

use super::filter::Choice;
use super::labels::Labels;
use super::sections::{EXIT_STATUS, sections};

/// Put simulated lesions of known size into real scans.
///
/// Writes a BIDS dataset of copies of the scans of another, with microbleeds, iron deposits and mimics in
/// them; the truth is in its derivatives. Scans with raw echoes are changed in the echoes, as the scanner
/// would have measured them; others in their maps, which is an approximation. Implants keep clear of
/// vessels, of what is dark, of what the model calls a lesion, and of the brain's edge. An interrupted run
/// continues when the command is repeated.
///
/// In the file of --config, [implant.random], [implant.ladder] and [implant.protocol] set what the options do
/// not, and [recon] how maps are made: see docs/implants.md.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir implant BIDS implanted
  deepmir implant BIDS implanted --copies 4 --seed 7
  deepmir implant BIDS ladder --ladder --copies 8 --participant-label 01 02"),
    ("Files", "  OUT/sub-*/ses-[SESSION]implant*/anat/:

  the source's images under their names, raw echoes as *_part-mag_MEGRE.nii.gz and
  *_part-phase_MEGRE.nii.gz (radians)

  OUT/derivatives/truth/sub-*/ses-*/anat/:

  *_seg-lesions_dseg.nii.gz      label map of what was implanted: 1 CMB, 2 NHID
  *_desc-unknown_mask.nii.gz     where nobody knows what is there: what the model calls
  *_desc-brain_mask.nii.gz       brain mask
  *_desc-sources_list.tsv        every implant: kind, place, volume, susceptibility
  *_desc-implant.json            version, seed and settings"),
    EXIT_STATUS,
]))]
pub struct Implant {
    /// BIDS dataset of the scans
    #[arg(value_name = "BIDS")]
    pub data: PathBuf,
    /// Folder of the new dataset
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Copies of each scan
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=999))]
    pub copies: u16,
    /// Seed of the random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Implant a fixed set of sizes, strengths and sites, each as often as the others, for measuring
    #[arg(long)]
    pub ladder: bool,
    /// Change the maps of scans with raw echoes, too, not their echoes
    #[arg(long)]
    pub maps: bool,
    /// Reconstruct changed echoes, and write the maps in their place
    #[arg(long)]
    pub reconstruct: bool,
    /// Model whose calls in the untouched scans implants keep clear of; `none` asks no model
    #[arg(long, value_name = "MODEL", default_value = "default")]
    pub model: String,
    /// Label maps of the scans' own lesions: implants keep clear of them
    #[arg(long, value_name = "DIR")]
    pub labels: Option<PathBuf>,
    /// The phase decreases where the field is higher
    #[arg(long)]
    pub invert_phase: bool,
    /// Read missing voxel values (NaN) as zero
    #[arg(long)]
    pub nan_to_zero: bool,
    #[command(flatten)]
    pub choice: Choice,
    #[command(flatten)]
    pub only: Labels,
}
