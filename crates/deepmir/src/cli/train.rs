//! Arguments of `deepmir train`.

use std::path::PathBuf;

use clap::Args;
use deepmir_cases::Modality;
use deepmir_lesion::LesionClass;

use super::implanted::Implanted;
use super::labels::Labels;
use super::sections::{EXIT_STATUS, sections};

/// Train a network on a cohort with label maps.
///
/// DATA is a BIDS dataset with label maps (*_seg-lesions_dseg) in its derivatives, or a CSV or TSV table
/// with the columns id, truth, swi, qsm and t2w. A column patient says whose scans they are, where a
/// patient has several: those fall on one side of every split. A mask beside a label map
/// (*_desc-unknown_mask, or a column unknown) says where nobody knows whether there is a lesion: nothing is
/// learned there.
///
/// With --folds, trains one network per fold of a cross-validation. The model is then their ensemble, with
/// detection thresholds, a candidate classifier (gradient boosted trees that reject false positives) and,
/// where there are enough lesions, a patch classifier (small 3D networks that look at a patch around each
/// candidate), all fitted to predictions of subjects that a network was not trained on.
///
/// An interrupted training continues with --resume and ends in the same weights; with other files or
/// settings it is refused. The tables [plan],
/// [architecture], [training] and [phantom] in the file of --config set what the options do not.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir train BIDS -o model-1
  deepmir train BIDS -o folds --folds 5 --held-out 10 11 12
  deepmir train BIDS -o folds --folds 5 --extra-train PHANTOMS --extra-validation OTHER_SITE
  deepmir train BIDS -o final --retrain-on-all folds/model
  deepmir train MY_SCANS -o mine --init-from default --folds 2 --steps 400
  deepmir train MY_SCANS -o mine --init-from default --folds 2 --steps 400 --implant 4"),
    ("Files", "  DIR/model/                the model; `deepmir model copy` packs it into one file
  DIR/training.toml         settings and subjects of the training
  DIR/history.tsv, .svg     loss and validations, as a table and as curves
  DIR/checkpoint.safetensors, best.safetensors
                            what --resume continues from; the best weights so far
  DIR/phantoms/             subjects that --phantoms simulated
  DIR/implanted/            scans that --implant made, without --implanted
  DIR/labels/               label maps of implanted copies of labelled scans

  With --folds, the files of each fold are in DIR/fold-N/; with --retrain-on-all, those of each
  network are in DIR/network-N/."),
    EXIT_STATUS,
]))]
pub struct Train {
    /// BIDS dataset, or CSV or TSV table
    #[arg(value_name = "DATA")]
    pub data: PathBuf,
    /// Folder for checkpoints and the model
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Folder of the dataset's label maps [default: the only one in its derivatives]
    #[arg(long, value_name = "DIR")]
    pub labels: Option<PathBuf>,
    /// Table of subjects that are one patient or anatomy: participant_id and patient [default: the column
    /// patient, subject or group of DATA]
    ///
    /// They fall on one side of every split. Sessions of a BIDS subject (sub-01_ses-1) do without it.
    #[arg(long, value_name = "FILE")]
    pub groups: Option<PathBuf>,
    /// Auxiliary data to train on in every fold, such as phantoms or another site; never validated on
    #[arg(long, value_name = "DATA", num_args = 1..)]
    pub extra_train: Vec<PathBuf>,
    /// With --folds, auxiliary data to validate on, such as other scanners or phantoms; never trained
    /// on by the networks
    ///
    /// They are divided among the folds. Detection thresholds, candidate classifier and patch classifier
    /// are fitted to them too.
    #[arg(long, value_name = "DATA", num_args = 1.., requires = "folds", conflicts_with = "fold")]
    pub extra_validation: Vec<PathBuf>,
    /// Simulate this many phantoms while training, and train on them
    ///
    /// Each has a scanner of its own, unless the config file sets one ([phantom.scan]). They stay in the
    /// output folder.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub phantoms: u16,
    #[command(flatten)]
    pub implanted: Implanted,
    /// Network and training settings to start from: deepmir or paper
    #[arg(long, value_name = "NAME", default_value = "deepmir")]
    pub preset: String,
    /// Input modalities, such as SWI,QSM,T2w [default: the preset's]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub inputs: Vec<Modality>,
    /// Classes to predict: CMB, NHID or CMB,NHID [default: the preset's]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub classes: Vec<LesionClass>,
    #[command(flatten)]
    pub only: Labels,
    /// Subjects that must not be trained on: names, or a table of the test cohort
    #[arg(long, value_name = "SUBJECT|FILE", num_args = 1.., value_delimiter = ',')]
    pub held_out: Vec<String>,
    /// Validation subjects, which choose weights and detection thresholds [default: a random fifth]
    #[arg(long, value_name = "SUBJECT", num_args = 1.., value_delimiter = ',', conflicts_with = "folds")]
    pub validation_label: Vec<String>,
    /// Train one network for each of K folds; the model is their ensemble (median)
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(2..))]
    pub folds: Option<u16>,
    /// Train only this fold of --folds, from 1, and leave the others to other processes
    #[arg(long, value_name = "N", requires = "folds", value_parser = clap::value_parser!(u16).range(1..))]
    pub fold: Option<u16>,
    /// Retrain a model of --folds on all subjects
    ///
    /// Trains as many networks as MODEL has, each on every subject and with the next seed. MODEL's plan,
    /// architecture, detection thresholds and classifiers are kept.
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["folds", "validation_label", "init_from"])]
    pub retrain_on_all: Option<String>,
    /// Fine-tune a model: start from its weights, with its plan and architecture
    ///
    /// Of several networks, each fold starts from another. Where DATA has too few lesions to train better
    /// ones, MODEL's candidate classifier is kept and warm-started, and its patch classifier kept. DATA
    /// must not contain scans that MODEL was trained on.
    #[arg(long, value_name = "MODEL")]
    pub init_from: Option<String>,
    /// Optimiser steps [default: the preset's]
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Patches per step [default: the preset's]
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    /// Peak learning rate [default: the preset's]
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f64>,
    /// Seed of the random numbers [default: the preset's]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Name of the model [default: that of the output folder]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Continue the training in the output folder
    #[arg(long)]
    pub resume: bool,
    /// Folder to keep prepared images in for other trainings [default: none are kept]
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Read NaN and infinite voxels as zero instead of refusing the file
    #[arg(long)]
    pub nan_to_zero: bool,
}
