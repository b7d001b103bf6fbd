//! Arguments of `deepmir predict`.

use std::path::PathBuf;

use clap::Args;

use super::recon::RawFiles;

/// Finds lesions in one subject's images and writes a label map, probability maps, a lesion table
/// and a picture, named after the SWI.
#[derive(Debug, Args)]
pub struct Predict {
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
    // Last: what follows a flattened group would stand under its heading.
    #[command(flatten)]
    pub raw: RawFiles,
}
