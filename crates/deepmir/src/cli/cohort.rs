//! Arguments of `deepmir cohort`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use deepmir_cases::{Modality, NnunetChannel};

use super::labels::Labels;
use super::sections::{EXIT_STATUS, sections};

/// Write cohorts for other programs, and read theirs.
#[derive(Debug, Subcommand)]
pub enum Cohort {
    /// Write a cohort as a data set of nnU-Net version 2.
    ///
    /// DATA is what `deepmir train` takes. Scans with a label map are for training, the others for testing. Images are
    /// zero outside the brain and on the grid of the first, QSM in ppm; labels are 1 CMB and 2 NHID, and 3 where nobody
    /// knows, which nnU-Net ignores. The folds are those of `deepmir train` with the same DATA, --folds and --seed.
    #[command(after_long_help = sections(&[
        ("Examples", "  deepmir cohort nnunet BIDS -o $nnUNet_raw --number 501 --name Lesions
  deepmir cohort nnunet cohort.csv -o $nnUNet_raw --inputs SWI"),
        ("Files", "  DIR/DatasetNNN_NAME/:

  imagesTr/SCAN_0000.nii.gz, ...   channels of the scans with a label map
  labelsTr/SCAN.nii.gz             their label maps
  imagesTs/                        channels of the other scans
  dataset.json                     channels and labels
  splits_final.json                folds; copy it to the data set's folder in $nnUNet_preprocessed"),
        EXIT_STATUS,
    ]))]
    Nnunet(Nnunet),
    /// Make a BIDS dataset of a data set of nnU-Net version 2.
    ///
    /// DATASET is its folder, with dataset.json and imagesTr. Images are linked, label maps (1 CMB, 2 NHID) written to
    /// derivatives/labels, with masks of what nnU-Net ignores. Cases called like scans of BIDS keep their names.
    #[command(after_long_help = sections(&[
        ("Examples", "  deepmir cohort from-nnunet $nnUNet_raw/Dataset501_Lesions -o BIDS
  deepmir cohort from-nnunet Dataset007_Bleeds -o BIDS --channels unused,T2star
  deepmir train BIDS -o model"),
        EXIT_STATUS,
    ]))]
    FromNnunet(FromNnunet),
}

#[derive(Debug, Args)]
pub struct FromNnunet {
    /// Folder of the data set
    #[arg(value_name = "DATASET")]
    pub data: PathBuf,
    /// The new BIDS dataset
    #[arg(short, long, value_name = "BIDS")]
    pub output: PathBuf,
    /// What the channels show, in order: SWI, T2star (a magnitude), QSM (in ppm), T2w or unused [default: by their
    /// names in dataset.json]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub channels: Vec<NnunetChannel>,
}

#[derive(Debug, Args)]
pub struct Nnunet {
    /// BIDS dataset, or CSV or TSV table
    #[arg(value_name = "DATA")]
    pub data: PathBuf,
    /// Folder of nnU-Net's raw data, in which the data set is made
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Number of the data set
    #[arg(long, value_name = "NNN", default_value_t = 501, value_parser = clap::value_parser!(u16).range(1..=999))]
    pub number: u16,
    /// Name of the data set
    #[arg(long, value_name = "NAME", default_value = "Lesions")]
    pub name: String,
    /// Images that become channels, such as SWI,QSM [default: those of every scan with a label map]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub inputs: Vec<Modality>,
    /// Number of folds
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..))]
    pub folds: u16,
    /// Seed of the folds
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Folder of the dataset's label maps [default: the only one in its derivatives]
    #[arg(long, value_name = "DIR")]
    pub labels: Option<PathBuf>,
    /// Table of subjects that are one patient or anatomy: participant_id and patient [default: the column
    /// patient, subject or group of DATA]
    #[arg(long, value_name = "FILE")]
    pub groups: Option<PathBuf>,
    #[command(flatten)]
    pub only: Labels,
    /// Read NaN and infinite voxels as zero instead of refusing the file
    #[arg(long)]
    pub nan_to_zero: bool,
}
