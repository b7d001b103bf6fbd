//! Arguments of `deepmir import`.

use std::path::PathBuf;

use clap::Args;
use deepmir_lesion::LesionClass;

use super::sections::sections;

/// Make a BIDS dataset of DICOM files.
///
/// Reads folders of any depth, zip archives, single files or a DICOMDIR: classic and enhanced MR images of one
/// patient or many. Series are sorted into volumes, and each is taken for SWI, QSM, T2w, a raw echo (magnitude,
/// phase, real or imaginary part) or a T2*-weighted magnitude, or set aside with the reason. `deepmir run` and
/// `deepmir recon` read what is written. Segmentations (DICOM SEG) that were drawn on these images become
/// label maps of CMB and NHID, for `evaluate`, `train` and `annotate --import`.
///
/// Names, identifiers, dates of birth, UIDs, institutions and free text are neither written nor logged.
/// Subjects are named by a hash of patient and key, or by a table. A series with missing, doubled or unevenly
/// spaced slices is refused, and the slices are named.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir import EXPORT BIDS --dry-run
  deepmir import EXPORT BIDS --key KEY
  deepmir import STUDY.zip BIDS
  deepmir import EXPORT1 EXPORT2/DICOMDIR BIDS --subjects SUBJECTS.tsv --keep-dates"),
    ("Files", "  OUT/sub-*/[ses-*/]anat/, each with a JSON file beside it:

  *_acq-swi_T2starw.nii.gz       SWI
  *_echo-N_part-mag_MEGRE.nii.gz, *_echo-N_part-phase_MEGRE.nii.gz
                                 magnitude and phase of each echo; phase in radians
  *_echo-N_part-real_MEGRE.nii.gz, *_echo-N_part-imag_MEGRE.nii.gz
                                 real and imaginary part, where there is no phase
  *_T2starw.nii.gz               T2*-weighted magnitude without phase
  *_T2w.nii.gz                   T2w
  *_Chimap.nii.gz                QSM in ppm

  OUT/derivatives/dicom/sub-*/[ses-*/]anat/*_seg-lesions_dseg.nii.gz
                                 label map of a segmentation: 1 CMB, 2 NHID

  OUT/sub-*/sub-*_desc-import.tsv
                                 each series: what it was taken for, and why
  OUT/participants.tsv, OUT/dataset_description.json"),
    ("Environment", "  DEEPMIR_IMPORT_KEY  the key itself, where neither --key nor --subjects is given"),
    ("Exit status", "  0  success
  1  the command or its input is wrong, or nothing could be imported; the message names the remedy
  2  internal error
  3  some series or files failed, each of them is named; the others are done"),
]))]
pub struct Import {
    /// Folders, zip archives, files or a DICOMDIR
    #[arg(value_name = "DICOM", required = true, num_args = 1..)]
    pub dicom: Vec<PathBuf>,
    /// Folder of the dataset: new, or one that this command made
    #[arg(value_name = "OUT", required = true)]
    pub output: PathBuf,
    /// List what each series would be taken for, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Table of subjects: tab-separated, with the columns patient_id and participant_id
    #[arg(long, value_name = "TSV", conflicts_with = "key")]
    pub subjects: Option<PathBuf>,
    /// File with the key of the hash that names subjects, at least 16 bytes [default: random, not kept]
    ///
    /// With the same key, a patient has the same label in every import. Keep it apart from the dataset: who
    /// has it and the list of patients can tell who is who.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// What the segments of a DICOM SEG with this label are: CMB, NHID or none; may be given several times
    ///
    /// Without it, they are told by their codes, and by labels that begin with CMB or NHID.
    #[arg(long, value_name = "LABEL=CLASS", value_parser = segment_class)]
    pub segments: Vec<(String, Option<LesionClass>)>,
    /// Write date and time of acquisition to the JSON files
    #[arg(long)]
    pub keep_dates: bool,
}

/// `LABEL=CLASS`.
fn segment_class(text: &str) -> Result<(String, Option<LesionClass>), String> {
    let (label, class) =
        text.rsplit_once('=').ok_or("write LABEL=CMB, LABEL=NHID or LABEL=none".to_owned())?;
    let class = if class == "none" { None } else { Some(class.parse::<LesionClass>()?) };
    Ok((label.to_owned(), class))
}
