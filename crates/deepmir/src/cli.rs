//! The command line.

mod annotate;
pub mod run;

use std::path::PathBuf;

pub use annotate::{Annotate, CombineName};
use clap::{Args, Parser, Subcommand, ValueEnum};
use deepmir_lesion::LesionClass;
use deepmir_lesion::matching::MatchRule;
use deepmir_net::{DeviceChoice, Modality};
use deepmir_recon::input::PhaseUnits;

use crate::study_arguments::Study;

/// Finds cerebral microbleeds (CMB) and non-hemorrhage iron deposits (NHID) in brain MRI and tells
/// them apart.
///
/// Research software; not a medical device.
#[derive(Debug, Parser)]
#[command(name = "deepmir", version, max_term_width = 100, args_override_self = true)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options of every verb.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Settings of this verb from a TOML file: its keys are the options' names; options given here
    /// win
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Threads to use [default: one a core]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Where networks run: auto, cpu, burn-cpu (slower, to compare with) or gpu:N
    #[arg(long, global = true, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Say more (twice: much more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log as JSON, one object a line
    #[arg(long, global = true)]
    pub log_json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make up a head with lesions, scan it, find them, and show how well that went
    Demo(Demo),
    /// Find lesions in one subject's images
    Predict(Box<Predict>),
    /// Reconstruct SWI, susceptibility, R2* and brain mask from raw gradient echoes
    Recon(Box<Recon>),
    /// A whole BIDS dataset, unattended: lesions of every subject, then the cohort's tables
    Run(Box<run::Run>),
    /// Simulate subjects whose lesions are known
    Phantom(Phantom),
    /// Train a network on a cohort with label maps
    Train(Box<Train>),
    /// Compare predicted with true label maps
    Evaluate(Evaluate),
    /// Compare inputs, classes and networks on a cohort, fold by fold
    Study(Box<Study>),
    /// Mark lesions by hand, review a model's, settle between raters
    Annotate(Annotate),
    /// List, describe and check models
    #[command(subcommand)]
    Model(Model),
}

/// Finds lesions in one subject's images and writes a label map, probability maps, a lesion table
/// and a picture, named after the SWI.
#[derive(Debug, Args)]
pub struct Predict {
    #[command(flatten)]
    pub raw: RawFiles,
    /// Susceptibility-weighted image; defines the grid
    #[arg(long, value_name = "FILE")]
    pub swi: Option<PathBuf>,
    /// Susceptibility map in ppm
    #[arg(long, value_name = "FILE")]
    pub qsm: Option<PathBuf>,
    /// T2-weighted image
    #[arg(long, value_name = "FILE")]
    pub t2w: Option<PathBuf>,
    /// Brain mask [default: what is not zero in a skull-stripped image]
    #[arg(long, value_name = "FILE")]
    pub mask: Option<PathBuf>,
    /// Folder for the results
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// A shipped model's name, or a model's folder or .deepmir file
    #[arg(long, value_name = "MODEL", default_value = "default")]
    pub model: String,
    /// Average over mirror images of each slice: four times the work
    #[arg(long)]
    pub flips: bool,
    /// Read NaN and infinite voxels as zero instead of refusing the file
    #[arg(long)]
    pub nan_to_zero: bool,
}

/// Raw echoes of one gradient-echo scan.
#[derive(Debug, Args)]
#[command(next_help_heading = "Raw echoes")]
pub struct RawFiles {
    /// Magnitude of each echo, in order (or one series)
    #[arg(long, value_name = "FILE", num_args = 1.., value_delimiter = ',')]
    pub mag: Vec<PathBuf>,
    /// Phase of each echo, in order
    #[arg(long, value_name = "FILE", num_args = 1.., value_delimiter = ',')]
    pub phase: Vec<PathBuf>,
    /// Real part of each echo, in place of magnitude and phase
    #[arg(long, value_name = "FILE", num_args = 1.., value_delimiter = ',')]
    pub real: Vec<PathBuf>,
    /// Imaginary part of each echo
    #[arg(long, value_name = "FILE", num_args = 1.., value_delimiter = ',')]
    pub imag: Vec<PathBuf>,
    /// Echo times in seconds [default: EchoTime of the JSON files]
    #[arg(long, value_name = "S", num_args = 1.., value_delimiter = ',')]
    pub te: Vec<f64>,
    /// Field strength in tesla [default: MagneticFieldStrength of the JSON files]
    #[arg(long, value_name = "T")]
    pub b0: Option<f64>,
    /// Direction of the main field along the voxel axes [default: B0Direction of the JSON files, else
    /// from the affine]
    #[arg(
        long,
        value_name = "X,Y,Z",
        num_args = 3,
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub b0_direction: Vec<f64>,
    /// What phase values are: auto, radians, stored-radians, signed-4096, unsigned-4096, signed-2048,
    /// milliradians or degrees
    #[arg(long, value_name = "UNITS", default_value = "auto", value_parser = phase_units)]
    pub phase_units: PhaseUnits,
    /// The phase falls where the field is higher
    #[arg(long)]
    pub invert_phase: bool,
}

fn phase_units(text: &str) -> Result<PhaseUnits, String> {
    use serde::Deserialize;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};
    let deserializer: StrDeserializer<'_, Error> = text.into_deserializer();
    PhaseUnits::deserialize(deserializer).map_err(|error| error.to_string())
}

/// How phase is unwrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UnwrappingName {
    /// Exactly, along the most trusted path
    Romeo,
    /// By least squares
    Laplacian,
}

/// How the background field is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BackgroundName {
    /// Spherical means of varying radius
    Vsharp,
    /// One radius, regularised
    Resharp,
    /// Projection onto dipole fields; poor near strong air-tissue fields
    Pdf,
}

/// How the field becomes susceptibility.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InversionName {
    /// Total variation
    Tv,
    /// Thresholded division
    Tkd,
    /// Closed form with smooth gradients
    L2,
}

/// Reconstructs SWI and its minimum-intensity projection, susceptibility, R2*, field maps and a brain
/// mask from raw gradient echoes, and aligns T2w to them: all scans of a BIDS dataset, or one from
/// files.
#[derive(Debug, Args)]
pub struct Recon {
    /// BIDS dataset with *_part-mag_MEGRE and *_part-phase_MEGRE
    #[arg(value_name = "BIDS")]
    pub data: Option<PathBuf>,
    /// Folder for the results
    #[arg(value_name = "OUT")]
    pub out: Option<PathBuf>,
    /// Folder for the results, when files are given
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Only these subjects
    #[arg(long, value_name = "SUBJECT", num_args = 1.., value_delimiter = ',')]
    pub participant_label: Vec<String>,
    #[command(flatten)]
    pub raw: RawFiles,
    /// Brain mask on the echoes' grid [default: computed]
    #[arg(long, value_name = "FILE")]
    pub mask: Option<PathBuf>,
    /// T2-weighted image of the same head, to be aligned
    #[arg(long, value_name = "FILE")]
    pub t2w: Option<PathBuf>,
    /// How phase is unwrapped [default: romeo]
    #[arg(long, value_name = "METHOD")]
    pub unwrapping: Option<UnwrappingName>,
    /// How the background field is removed [default: vsharp]
    #[arg(long, value_name = "METHOD")]
    pub background: Option<BackgroundName>,
    /// How the field becomes susceptibility [default: tv]
    #[arg(long, value_name = "METHOD")]
    pub inversion: Option<InversionName>,
    /// Read NaN and infinite voxels as zero instead of refusing the file
    #[arg(long)]
    pub nan_to_zero: bool,
}

/// The whole chain on a simulated head: raw echoes, reconstruction, prediction with the shipped model,
/// evaluation against the truth, and a page that shows it all. Needs no data.
#[derive(Debug, Args)]
pub struct Demo {
    /// Folder for everything that is made
    #[arg(short, long, value_name = "DIR", default_value = "deepmir-demo")]
    pub output: PathBuf,
    /// Another seed is another head
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// A shipped model's name, or a model's folder or .deepmir file
    #[arg(long, value_name = "MODEL", default_value = "default")]
    pub model: String,
}

/// Simulates a BIDS dataset of subjects with microbleeds, iron deposits and what looks like them; the
/// truth lies in its derivatives. A run that was stopped goes on where it was.
#[derive(Debug, Args)]
pub struct Phantom {
    /// Folder of the dataset
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// How many subjects
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub subjects: u16,
    /// Sessions of each: lesions appear, grow and vanish from one to the next
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=20))]
    pub sessions: u16,
    /// A whole-brain label map with FreeSurfer's numbers, or a folder of them, in place of the
    /// built-in head
    #[arg(long, value_name = "DIR|FILE")]
    pub anatomy: Option<PathBuf>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Give every subject a scanner and protocol of its own
    #[arg(long)]
    pub randomize: bool,
    /// Write the raw echoes too
    #[arg(long)]
    pub raw: bool,
    /// Leave SWI, QSM and T2w of the whole head, skull and all
    #[arg(long)]
    pub whole_head: bool,
    /// Field strength in tesla [default: 3]
    #[arg(long, value_name = "T")]
    pub field_strength: Option<f64>,
}

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
    /// Begin with the weights of this model, and its network
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
    /// Probability that makes up the candidates of FROC curves
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

#[derive(Debug, Subcommand)]
pub enum Model {
    /// The shipped models
    List,
    /// What a model needs, tells and comes from
    Info {
        /// A shipped model's name, or a model's folder or .deepmir file
        #[arg(value_name = "MODEL", default_value = "default")]
        model: String,
    },
    /// Checks a model's checksums and that it runs
    Verify {
        /// A shipped model's name, or a model's folder or .deepmir file
        #[arg(value_name = "MODEL", default_value = "default")]
        model: String,
    },
    /// Writes a model as one .deepmir file, or as a folder
    Copy {
        /// A shipped model's name, or a model's folder or .deepmir file
        #[arg(value_name = "MODEL")]
        model: String,
        /// Where to: a name ending in .deepmir makes a file
        #[arg(value_name = "PATH")]
        output: PathBuf,
        /// Give the copy another name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Say what it is, in a sentence or two
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Terms of use, as an SPDX expression
        #[arg(long, value_name = "SPDX")]
        licence: Option<String>,
    },
}
