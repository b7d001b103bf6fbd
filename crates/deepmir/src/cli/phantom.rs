//! Arguments of `deepmir phantom`.

use std::path::PathBuf;

use clap::Args;

use super::sections::{EXIT_STATUS, sections};

/// Simulate subjects whose lesions are known.
///
/// Writes a BIDS dataset of subjects with microbleeds, iron deposits and their mimics (calcifications,
/// cavernoma-like clusters, vessels); the truth is in its derivatives. An interrupted run continues when
/// the command is repeated.
///
/// A [phantom] table in the file of --config sets what the options do not: see docs/phantom.md.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir phantom heads --subjects 20 --randomize
  deepmir phantom heads --sessions 2 --raw --seed 7
  deepmir phantom heads --anatomy LABEL_MAPS --field-strength 7"),
    ("Files", "  OUT/sub-*/[ses-*/]anat/:

  *_acq-swi_T2starw.nii.gz       SWI
  *_Chimap.nii.gz                QSM in ppm
  *_T2w.nii.gz                   T2w
  *_part-mag_MEGRE.nii.gz, *_part-phase_MEGRE.nii.gz
                                 magnitude and phase of each echo, with --raw

  OUT/derivatives/truth/sub-*/[ses-*/]anat/:

  *_seg-lesions_dseg.nii.gz      label map: 1 CMB, 2 NHID
  *_desc-brain_mask.nii.gz       brain mask
  *_desc-sources_list.tsv        every lesion and mimic: place, volume, susceptibility
  *_Chimap.nii.gz, *_fieldmap.nii.gz, *_R2starmap.nii.gz
                                 true susceptibility (ppm), field (ppm) and R2*
  *_desc-phantom.json            version, seed, settings and the numbers drawn"),
    EXIT_STATUS,
]))]
pub struct Phantom {
    /// Folder of the dataset
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Number of subjects
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub subjects: u16,
    /// Sessions per subject; lesions appear, grow and vanish between them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=20))]
    pub sessions: u16,
    /// Whole-brain label map with FreeSurfer's numbers, or a folder of them, in place of the built-in
    /// head
    #[arg(long, value_name = "DIR|FILE")]
    pub anatomy: Option<PathBuf>,
    /// Seed of the random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Draw a scanner, a protocol and a reconstruction for each subject
    #[arg(long)]
    pub randomize: bool,
    /// Also write the raw echoes
    #[arg(long)]
    pub raw: bool,
    /// Do not skull-strip SWI, QSM and T2w
    #[arg(long)]
    pub whole_head: bool,
    /// Field strength in tesla [default: 3]
    #[arg(long, value_name = "T")]
    pub field_strength: Option<f64>,
}
