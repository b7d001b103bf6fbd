//! Arguments of `deepmir recon`, and raw echoes wherever they are given.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use deepmir_recon::input::PhaseUnits;

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
    // Last: what follows a flattened group would stand under its heading.
    #[command(flatten)]
    pub raw: RawFiles,
}
