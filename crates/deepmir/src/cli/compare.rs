//! Arguments of `deepmir compare`.

use std::path::PathBuf;

use clap::Args;

use super::sections::{EXIT_STATUS, sections};

/// Tell what is new since the last scan: two visits of one person, read together.
///
/// Give the SWI of both visits, and QSM and T2w where both have them; or two folders of results of `deepmir
/// predict`. The scans are registered to the space halfway between them, and each place that may hold a lesion
/// is measured in both. First of all the command says whether the scans are comparable.
///
/// The change model learned from simulated pairs of visits: see docs/visits.md.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir compare --baseline SWI_2024.nii.gz --followup SWI_2026.nii.gz -o change
  deepmir compare --baseline results_2024 --followup results_2026 -o change
  deepmir compare --baseline b/SWI.nii.gz --baseline-qsm b/QSM.nii.gz --baseline-t2w b/T2w.nii.gz
                  --followup f/SWI.nii.gz --followup-qsm f/QSM.nii.gz --followup-t2w f/T2w.nii.gz
                  -o change"),
    ("Files", "  SCAN and IMAGE stand for the names of the follow-up and of its SWI, as in `deepmir predict`.

  SCAN_desc-visits.tsv               lesions over the visits: class, change (new, gone, grown,
                                     shrunk, stable), its probability, place and measures
  SCAN_desc-visits_candidates.tsv    every place that was measured in both visits, with the evidence
  SCAN_desc-visits.json              verdict on comparability, registration, counts with intervals,
                                     proposal for the ARIA-H sheet, checksums of the inputs
  SCAN_desc-visits_report.html       the page: every change in both visits, side by side
  IMAGE_seg-visits_dseg.nii.gz       lesions of the follow-up by their numbers in the table
  IMAGE_space-baseline_seg-visits_dseg.nii.gz
                                     lesions of the baseline by the same numbers, on its own grid
  SCAN_from-baseline_to-followup_xfm.txt, .mat
                                     the movement of the head, for ITK and FSL"),
    EXIT_STATUS,
]))]
pub struct Compare {
    /// SWI of the earlier visit, or a folder of results of `deepmir predict`
    #[arg(long, value_name = "FILE|DIR")]
    pub baseline: PathBuf,
    /// SWI of the later visit, or a folder of results of `deepmir predict`
    #[arg(long, value_name = "FILE|DIR")]
    pub followup: PathBuf,
    /// Susceptibility map of the earlier visit, in ppm
    #[arg(long, value_name = "FILE")]
    pub baseline_qsm: Option<PathBuf>,
    /// Susceptibility map of the later visit, in ppm
    #[arg(long, value_name = "FILE")]
    pub followup_qsm: Option<PathBuf>,
    /// T2-weighted image of the earlier visit
    #[arg(long, value_name = "FILE")]
    pub baseline_t2w: Option<PathBuf>,
    /// T2-weighted image of the later visit
    #[arg(long, value_name = "FILE")]
    pub followup_t2w: Option<PathBuf>,
    /// Brain mask of the earlier visit
    #[arg(long, value_name = "FILE")]
    pub baseline_mask: Option<PathBuf>,
    /// Brain mask of the later visit
    #[arg(long, value_name = "FILE")]
    pub followup_mask: Option<PathBuf>,
    /// Day of the earlier visit [default: AcquisitionDateTime of the SWI's sidecar]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub baseline_date: Option<String>,
    /// Day of the later visit [default: AcquisitionDateTime of the SWI's sidecar]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub followup_date: Option<String>,
    /// The images are T2*-weighted magnitudes in place of SWI
    #[arg(long)]
    pub t2star: bool,
    /// Folder for the results
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Name of a shipped model, or a model's folder or .deepmir file
    #[arg(long, value_name = "MODEL", default_value = "default")]
    pub model: String,
    /// Read NaN and infinite voxels as zero instead of refusing the file
    #[arg(long)]
    pub nan_to_zero: bool,
    /// Refuse scans about which there is any warning, and pairs that are not comparable
    #[arg(long)]
    pub strict: bool,
}
