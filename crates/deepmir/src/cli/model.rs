//! Arguments of `deepmir model`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
    /// Chooses a model's thresholds anew on labelled scans, such as those of another scanner: nothing is trained
    Tune(Tune),
    /// Has a model's second look go on learning from labelled scans, such as those of another scanner, and chooses its
    /// thresholds anew: networks stay
    Adapt(Tune),
}

#[derive(Debug, Args)]
pub struct Tune {
    /// A shipped model's name, or a model's folder or .deepmir file
    #[arg(value_name = "MODEL")]
    pub model: String,
    /// Scans with label maps that the model did not learn from: BIDS datasets, or CSV/TSV tables (id, truth, swi, qsm,
    /// t2w)
    #[arg(value_name = "DATA", required = true)]
    pub data: Vec<PathBuf>,
    /// Where the new model goes: a name ending in .deepmir makes a file [default: only tell what it would find]
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// How many times as much a missed lesion weighs as a false one
    #[arg(long, value_name = "BETA", default_value_t = 1.5)]
    pub beta: f64,
    /// Folder of the dataset's label maps [default: the only one in its derivatives]
    #[arg(long, value_name = "DIR")]
    pub labels: Option<PathBuf>,
    /// Only these subjects, keeping others to see what the thresholds are worth
    #[arg(long, value_name = "SUBJECT", num_args = 1..)]
    pub participant_label: Vec<String>,
    /// The model's new name [default: the old one with -tuned or -adapted]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Read NaN and infinite voxels as zero instead of refusing the file
    #[arg(long)]
    pub nan_to_zero: bool,
}
