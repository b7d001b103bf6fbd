//! The command line.

mod annotate;
mod demo;
mod evaluate;
mod model;
mod phantom;
mod predict;
mod recon;
mod run;
mod study;
mod train;

use std::path::PathBuf;

pub use annotate::{Annotate, CombineName};
use clap::{Args, Parser, Subcommand};
use deepmir_net::DeviceChoice;
pub use demo::Demo;
pub use evaluate::Evaluate;
pub use model::{Model, Tune};
pub use phantom::Phantom;
pub use predict::Predict;
pub use recon::{BackgroundName, InversionName, RawFiles, Recon, UnwrappingName};
pub use run::{Level, Run};
pub use study::{Study, StudyPart};
pub use train::Train;

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
    Run(Box<Run>),
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
    /// List, describe, check and tune models
    #[command(subcommand)]
    Model(Model),
}
