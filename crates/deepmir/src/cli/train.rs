//! Arguments of `deepmir train`.

use std::path::PathBuf;

use clap::Args;
use deepmir_lesion::LesionClass;
use deepmir_net::Modality;

/// Trains a network on a cohort with label maps: a BIDS dataset, or a table with the columns id,
/// truth, swi, qsm, t2w.
#[derive(Debug, Args)]
pub struct Train {
    /// BIDS dataset, or CSV/TSV table
    #[arg(value_name = "DATA")]
    pub data: PathBuf,
    /// Folder for checkpoints and the model
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Folder of the dataset's label maps [default: the only one in its derivatives]
    #[arg(long, value_name = "DIR")]
    pub labels: Option<PathBuf>,
    /// Learn from these too, in every fold: phantoms, another site. Nothing is chosen on them
    #[arg(long, value_name = "DATA", num_args = 1..)]
    pub also: Vec<PathBuf>,
    /// With --folds, choose thresholds and the second look at candidates on these too, shared out
    /// among the folds' networks: other scanners, phantoms. Nothing is learned from them
    #[arg(long, value_name = "DATA", num_args = 1.., requires = "folds", conflicts_with = "fold")]
    pub choose_also: Vec<PathBuf>,
    /// Draw this many phantoms while training and learn from them, each with a scanner of its own
    /// unless the config file gives one ([phantom.scan]); they stay in the output folder
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub phantoms: u16,
    /// Network and training to begin from: deepmir or paper
    #[arg(long, value_name = "NAME", default_value = "deepmir")]
    pub preset: String,
    /// Modalities the network sees, such as SWI,QSM,T2w [default: the preset's]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub inputs: Vec<Modality>,
    /// Classes it tells: CMB, NHID or CMB,NHID [default: the preset's]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub classes: Vec<LesionClass>,
    /// Only these subjects
    #[arg(long, value_name = "SUBJECT", num_args = 1..)]
    pub participant_label: Vec<String>,
    /// Subjects that must not be learned from: names, or a table of the test cohort
    #[arg(long, value_name = "SUBJECT|FILE", num_args = 1..)]
    pub held_out: Vec<String>,
    /// Subjects to choose weights and thresholds on [default: a fifth, drawn by the seed]
    #[arg(long, value_name = "SUBJECT", num_args = 1.., conflicts_with = "folds")]
    pub validation_label: Vec<String>,
    /// Train one network for each of K folds; together they count by the median
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(2..))]
    pub folds: Option<u16>,
    /// Only this fold of --folds (from 1 on), leaving the others to other processes
    #[arg(long, value_name = "N", requires = "folds", value_parser = clap::value_parser!(u16).range(1..))]
    pub fold: Option<u16>,
    /// Train as many networks as this model of --folds has, each on every subject, from seed to seed;
    /// its plan, network and thresholds stay
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["folds", "validation_label", "from"])]
    pub refit: Option<String>,
    /// Begin with the weights of this model, and its network (of several networks each fold with another). Its second
    /// look goes on learning, and its closer look stays, where there are too few lesions to learn better ones: DATA must
    /// not be what it learned from
    #[arg(long, value_name = "MODEL")]
    pub from: Option<String>,
    /// Optimiser steps [default: the preset's]
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Patches a step [default: the preset's]
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    /// Highest learning rate [default: the preset's]
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f64>,
    /// Seed of everything random [default: the preset's]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The model's name [default: the output folder's]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Go on with the training in the output folder
    #[arg(long)]
    pub resume: bool,
    /// Keep prepared images here for other trainings [default: in the output folder while training]
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Read NaN and infinite voxels as zero instead of refusing the file
    #[arg(long)]
    pub nan_to_zero: bool,
}
