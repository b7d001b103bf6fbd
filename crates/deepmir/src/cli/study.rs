//! The arguments of `deepmir study`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Compares sets of inputs, sets of classes and networks on a cohort: every combination is trained,
/// validated and tested on the same folds with the same seeds, and the results make one page. A
/// study that was stopped goes on where it was; cells that are finished are not done again.
///
/// The file names the cohort and what to compare; docs/study.md describes it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Study {
    #[command(subcommand)]
    pub part: Option<StudyPart>,
    /// The study's TOML file
    #[arg(value_name = "CONFIG", required = true)]
    pub file: Option<PathBuf>,
    /// Folder for cells, tables and the page [default: CONFIG without .toml, beside it]
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Only tell the cells, and how long they will take and how much disk, from a few measured steps
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub enum StudyPart {
    /// Do one cell, for a cluster: one process each
    Cell {
        #[command(flatten)]
        place: StudyPlace,
        /// Its number, from 1: see --dry-run, or plan.tsv
        #[arg(value_name = "N")]
        number: usize,
    },
    /// Make tables and page of finished cells
    Collect {
        #[command(flatten)]
        place: StudyPlace,
        /// With unfinished cells: take the folds in which every combination is finished
        #[arg(long)]
        partial: bool,
    },
}

/// A study's file and folder.
#[derive(Debug, Args)]
pub struct StudyPlace {
    /// The study's TOML file
    #[arg(value_name = "CONFIG")]
    pub file: PathBuf,
    /// Folder for cells, tables and the page [default: CONFIG without .toml, beside it]
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}
