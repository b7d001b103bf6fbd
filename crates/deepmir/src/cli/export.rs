//! Arguments of `deepmir export`.

use std::path::PathBuf;

use clap::Args;

use super::sections::{EXIT_STATUS, sections};

/// Write results as DICOM: segmentation, measurements and picture, for the archive.
///
/// The lesions of each scan become a DICOM SEG and a structured report (SR, TID 1500) in the patient's own
/// study, preliminary and unverified. An import keeps no identifiers, so give the DICOM files again: the series
/// that the label map lies on is found by its grid, and by its voxels where the images are still there.
/// Patient and study are copied from it: keep what is written as you keep the DICOM files.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir export OUT/sub-01 --dicom EXPORT -o ARCHIVE
  deepmir export RESULTS --dicom EXPORT --instances -o ARCHIVE"),
    ("Files", "  ARCHIVE/SCAN_seg.dcm     DICOM SEG: binary, one segment a class; left out without lesions
  ARCHIVE/SCAN_sr.dcm      DICOM SR: each lesion's place and measures, and how many there are
  ARCHIVE/SCAN_mosaic.dcm  secondary capture of the picture of the lesions, if there is one
  ARCHIVE/SCAN_qsm/, ARCHIVE/SCAN_swi/
                           with --maps: MR images, one slice a file"),
    EXIT_STATUS,
]))]
pub struct Export {
    /// Folders that `predict` or `run` wrote; all scans below them
    #[arg(value_name = "RESULT", required = true, num_args = 1..)]
    pub results: Vec<PathBuf>,
    /// The DICOM files that they come from: folders, zip archives, files or a DICOMDIR
    #[arg(long, value_name = "SOURCE", required = true, num_args = 1..)]
    pub dicom: Vec<PathBuf>,
    /// Folder to write to
    #[arg(short, long, value_name = "OUT", required = true)]
    pub output: PathBuf,
    /// Write one segment a lesion, not one a class
    #[arg(long)]
    pub instances: bool,
    /// Write the QSM, and the SWI if it was made of raw echoes, as MR images too
    #[arg(long)]
    pub maps: bool,
    /// The number of the series that the results lie on, where grid and voxels do not tell it
    #[arg(long, value_name = "NUMBER")]
    pub series: Option<i64>,
}
