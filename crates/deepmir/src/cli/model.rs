//! Arguments of `deepmir model`.

use std::path::PathBuf;

use clap::Subcommand;

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
