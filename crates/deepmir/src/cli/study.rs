//! Arguments of `deepmir study`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

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
    External(External),
}

/// A data set with public rules of measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExternalData {
    /// VALDO challenge 2021, task 2: microbleeds on T2*-weighted images
    Valdo,
    /// AIBL study: places of microbleeds on SWI, as CSIRO publishes them
    Aibl,
}

/// Find lesions in your copy of a published data set, and measure them by its own rules.
///
/// Makes a BIDS dataset of links to the images, runs the model on them as `deepmir run` does, and compares with the
/// true lesions as `deepmir evaluate` does. Repeated, it continues. docs/exchange.md tells the layouts.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir study external valdo VALDO/Task2 -o valdo
  deepmir study external valdo VALDO -o valdo --other predictions-of-another-program
  deepmir study external aibl PublicDataShare_2020 -o aibl"),
    ("Files", "  bids/               links to the images, and to the true label maps
  results/            what `deepmir run` writes
  evaluation/         what `deepmir evaluate` writes (--profile valdo; --match centre:5 of aibl)
  other/, evaluation-other/
                      the same of the masks of --other"),
    ("Exit status", "  0  success
  1  the command or its input is wrong; the message names the remedy
  2  internal error
  3  some cases failed, each of them is named; the others are measured"),
]))]
pub struct External {
    /// Which data set
    #[arg(value_name = "DATASET", value_enum)]
    pub data: ExternalData,
    /// Folder of the data set
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Folder for links and results
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Name of a shipped model, or a model's folder or .deepmir file
    #[arg(long, value_name = "MODEL", default_value = "default")]
    pub model: String,
    /// Folder with another program's masks of the same cases, 1 in microbleeds, to measure beside
    #[arg(long, value_name = "DIR")]
    pub other: Option<PathBuf>,
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
