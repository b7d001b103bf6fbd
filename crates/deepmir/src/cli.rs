//! The command line.

mod anatomy;
mod annotate;
#[cfg(test)]
mod boutiques;
mod cohort;
mod compare;
mod completions;
mod demo;
mod doctor;
mod evaluate;
mod export;
mod filter;
pub mod foreign;
mod implant;
mod implanted;
mod import;
mod labels;
mod listen;
mod man;
mod memory;
mod model;
mod phantom;
mod predict;
mod qualify;
mod recon;
mod run;
pub mod sections;
mod study;
mod train;
mod train_anatomy;
mod view;

use std::path::PathBuf;

pub use anatomy::Anatomy;
pub use annotate::{Annotate, CombineName};
use clap::{Arg, Args, Parser, Subcommand};
pub use cohort::{Cohort, FromNnunet, Nnunet};
pub use compare::Compare;
pub use completions::Completions;
use deepmir_net::DeviceChoice;
pub use demo::Demo;
pub use doctor::Doctor;
pub use evaluate::{Evaluate, Profile};
pub use export::Export;
pub use implant::Implant;
pub use implanted::Implanted;
pub use import::Import;
pub use labels::Labels;
pub use man::Man;
pub use model::{Adapt, MeasureRange, Model, Tune};
pub use phantom::Phantom;
pub use predict::Predict;
pub use qualify::Qualify;
pub use recon::{
    BackgroundName, FieldFitName, InversionName, RawFiles, Recon, ReferenceName, UnwrappingName,
};
pub use run::{Level, Run};
use sections::sections;
pub use study::{External, ExternalData, Study, StudyPart};
pub use train::Train;
pub use train_anatomy::TrainAnatomy;
pub use view::View;

/// Find cerebral microbleeds (CMB) and non-hemorrhage iron deposits (NHID) in brain MRI.
///
/// deepmir reads susceptibility-weighted images (SWI), quantitative susceptibility maps (QSM) and
/// T2-weighted images (T2w), or the raw gradient echoes to make SWI and QSM from. It finds both kinds of
/// lesions, tells them apart and measures them.
///
/// Research software; not a medical device.
#[derive(Debug, Parser)]
#[command(
    name = "deepmir",
    version,
    max_term_width = 100,
    args_override_self = true,
    after_long_help = sections(&[
        ("Examples", "  deepmir demo
  deepmir predict --swi SWI.nii.gz --qsm QSM.nii.gz --t2w T2w.nii.gz -o results
  deepmir run BIDS OUT participant
  deepmir help model tune"),
        ("Exit status", "  0    success
  1    the command or its input is wrong; the message names the remedy
  2    internal error
  3    some subjects failed, each of them is named; the others are done
  130  interrupted; the same command continues"),
    ]),
)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub verb: Verb,
}

/// The long name of an option, and its aliases.
pub fn names_of(arg: &Arg) -> impl Iterator<Item = &str> {
    arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default())
}

/// Options of every verb.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Read options of this command from a TOML file
    ///
    /// Keys are the names of the options without the dashes, such as `nan-to-zero = true`. Options on the
    /// command line take precedence. Tables hold the settings that some commands have beyond their
    /// options, such as [training] of `train`.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Number of threads [default: one per core]
    #[arg(long, visible_alias = "n-cpus", aliases = ["nprocs", "n-procs", "nthreads"], global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Where to run networks: auto, cpu or gpu:N
    #[arg(long, global = true, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Log more; give it twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Log errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log in JSON, one object per line
    #[arg(long, global = true)]
    pub log_json: bool,
}

// Help texts stand on the types inside: a comment on a variant would replace them.
#[derive(Debug, Subcommand)]
pub enum Verb {
    Demo(Demo),
    Predict(Box<Predict>),
    Recon(Box<Recon>),
    Run(Box<Run>),
    Anatomy(Anatomy),
    Import(Import),
    Export(Export),
    Phantom(Phantom),
    Implant(Box<Implant>),
    Train(Box<Train>),
    Evaluate(Evaluate),
    Qualify(Box<Qualify>),
    Compare(Box<Compare>),
    Study(Box<Study>),
    View(View),
    Annotate(Annotate),
    #[command(subcommand)]
    Cohort(Cohort),
    #[command(subcommand)]
    Model(Model),
    Doctor(Doctor),
    Completions(Completions),
    Man(Man),
}
