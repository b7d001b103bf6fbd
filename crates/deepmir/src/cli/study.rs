//! Arguments of `deepmir study`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::sections::{EXIT_STATUS, sections};

const FILES: (&str, &str) = (
    "Files",
    "  study.html          the page: tables, intervals, comparisons, FROC curves, mistakes close up
  arms.tsv            each arm, class and measure: mean and deviation over cells, pooled value
  cells.tsv           the same measures for each cell
  comparisons.tsv     paired differences between arms, with intervals and corrected p-values
  confusion.tsv, strata.tsv, mistakes.tsv
                      confusions; results by lesion size and site; every false positive and miss
  times.tsv           run times
  results.json, study.json
                      all tables; all settings
  plan.tsv, splits.tsv
                      the cells and their folders; the role of each scan in each fold
  cells/*/            model, validations and predictions of each cell",
);

/// Compare inputs, classes and networks on a cohort by cross-validation.
///
/// Trains, validates and tests every combination (arm) of input modalities, classes and network variants
/// on the same folds with the same seeds, and reports paired comparisons on one page. Each arm, fold and
/// seed is a cell. An interrupted study continues when the command is repeated; finished cells are kept.
///
/// CONFIG names the cohort and what to compare: see docs/study.md.
#[derive(Debug, Args)]
#[command(
    subcommand_negates_reqs = true,
    override_usage = "deepmir study [OPTIONS] <CONFIG>\n       deepmir study <COMMAND>",
    after_long_help = sections(&[
        ("Examples", "  deepmir study inputs.toml --dry-run
  deepmir study inputs.toml
  deepmir study cell inputs.toml 17
  deepmir study collect inputs.toml --partial"),
        FILES,
        EXIT_STATUS,
    ]),
)]
pub struct Study {
    #[command(subcommand)]
    pub part: Option<StudyPart>,
    /// TOML file of the study
    #[arg(value_name = "CONFIG", required = true)]
    pub file: Option<PathBuf>,
    /// Folder for cells, tables and the page [default: CONFIG without .toml]
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// List the cells and estimate time and disk space from a few measured steps; train nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub enum StudyPart {
    /// Run one cell, as one process of a cluster job.
    ///
    /// Fails if another process works on the cell. `deepmir study collect` makes the tables when all
    /// cells are done.
    #[command(after_long_help = sections(&[
        ("Examples", "  deepmir study cell inputs.toml 17
  deepmir study cell inputs.toml $SLURM_ARRAY_TASK_ID -o /scratch/inputs"),
        EXIT_STATUS,
    ]))]
    Cell {
        #[command(flatten)]
        place: StudyPlace,
        /// Number of the cell, from 1; --dry-run and plan.tsv list them
        #[arg(value_name = "N")]
        number: usize,
    },
    /// Make the tables and the page from finished cells
    #[command(after_long_help = sections(&[
        ("Examples", "  deepmir study collect inputs.toml
  deepmir study collect inputs.toml --partial"),
        FILES,
        EXIT_STATUS,
    ]))]
    Collect {
        #[command(flatten)]
        place: StudyPlace,
        /// Use the folds in which every arm is finished, if some cells are not
        #[arg(long)]
        partial: bool,
    },
}

/// A study's file and folder.
#[derive(Debug, Args)]
pub struct StudyPlace {
    /// TOML file of the study
    #[arg(value_name = "CONFIG")]
    pub file: PathBuf,
    /// Folder for cells, tables and the page [default: CONFIG without .toml]
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}
