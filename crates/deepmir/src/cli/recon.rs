//! Arguments of `deepmir recon`, and raw echoes wherever they are given.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use deepmir_recon::input::PhaseUnits;

use super::filter::Choice;
use super::labels::Labels;
use super::sections::sections;

/// Raw echoes of one gradient-echo scan.
#[derive(Debug, Args)]
#[command(next_help_heading = "Raw echoes")]
pub struct RawFiles {
    /// Magnitude of each echo, in order, or one 4D series
    #[arg(long, value_name = "FILE", num_args = 1.., value_delimiter = ',')]
    pub mag: Vec<PathBuf>,
    /// Phase of each echo, in order
    #[arg(long, value_name = "FILE", num_args = 1.., value_delimiter = ',')]
    pub phase: Vec<PathBuf>,
    /// Real part of each echo, in place of magnitude and phase
    #[arg(long, value_name = "FILE", num_args = 1.., value_delimiter = ',')]
    pub real: Vec<PathBuf>,
    /// Imaginary part of each echo, in order
    #[arg(long, value_name = "FILE", num_args = 1.., value_delimiter = ',')]
    pub imag: Vec<PathBuf>,
    /// Echo times in seconds [default: EchoTime in the JSON files]
    #[arg(long, value_name = "S", num_args = 1.., value_delimiter = ',')]
    pub te: Vec<f64>,
    /// Field strength in tesla [default: MagneticFieldStrength in the JSON files]
    #[arg(long, value_name = "T")]
    pub b0: Option<f64>,
    /// Direction of the main field along the voxel axes [default: B0Direction in the JSON files, else
    /// from the affine]
    #[arg(
        long,
        value_name = "X,Y,Z",
        num_args = 1..=3,
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub b0_direction: Vec<f64>,
    /// Units of the phase: auto, radians, stored-radians, signed-4096, unsigned-4096, signed-2048,
    /// milliradians or degrees
    #[arg(long, value_name = "UNITS", default_value = "auto", value_parser = phase_units)]
    pub phase_units: PhaseUnits,
    /// Invert the phase: it decreases where the field is higher
    #[arg(long)]
    pub invert_phase: bool,
    /// R2 per second on the echoes' grid, to separate paramagnetic from diamagnetic susceptibility; of a
    /// dataset, for one scan
    #[arg(long, value_name = "FILE")]
    pub r2: Option<PathBuf>,
    /// Separate them with this share of R2* for R2, 0 to 1, where R2 was not measured
    #[arg(long, value_name = "SHARE")]
    pub r2_share: Option<f64>,
}

fn phase_units(text: &str) -> Result<PhaseUnits, String> {
    use serde::Deserialize;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};
    let deserializer: StrDeserializer<'_, Error> = text.into_deserializer();
    PhaseUnits::deserialize(deserializer).map_err(|error| error.to_string())
}

/// Phase unwrapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UnwrappingName {
    /// Path-based, exact; follows the most reliable voxels first
    Romeo,
    /// Least squares
    Laplacian,
}

/// Field fit over echoes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FieldFitName {
    /// A weighted line, without late echoes where the phases do not lie on it
    Early,
    /// A weighted line through all echoes
    Line,
    /// The complex signals, starting from the line; needs romeo
    Complex,
}

/// Background field removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BackgroundName {
    /// Total field inversion: sources inside and outside the brain fitted together
    Tfi,
    /// V-SHARP: spherical means of varying radius
    Vsharp,
    /// RESHARP: one radius, regularised
    Resharp,
    /// PDF: projection onto dipole fields; poor near strong air-tissue fields
    Pdf,
}

/// Dipole inversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InversionName {
    /// Total variation
    Tv,
    /// Thresholded k-space division
    Tkd,
    /// Closed-form L2 regularisation
    L2,
}

/// Tissue whose median susceptibility is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReferenceName {
    /// Brain
    Brain,
    /// Fluid of the ventricles, as the anatomy network outlines them
    Fluid,
}

/// Reconstruct SWI, susceptibility, R2* and a brain mask from raw gradient echoes.
///
/// Takes all scans of a BIDS dataset (recon BIDS OUT), or one scan from files (--mag, --phase, -o), and
/// aligns T2w to the echoes. A [recon] table in the file of --config sets what the options do not: see
/// docs/recon.md.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir recon BIDS OUT
  deepmir recon --mag echo*_mag.nii.gz --phase echo*_phase.nii.gz -o maps
  deepmir recon --mag mag.nii --phase phase.nii --te 0.006,0.012 --b0 3 --t2w T2w.nii -o maps
  deepmir recon --chimap chi.nii.gz --truth true.nii.gz --mask brain.nii.gz -o measures"),
    ("Files", "  Per scan, on the grid of the echoes, each map with a JSON file:

  *_acq-swi_T2starw.nii.gz          SWI
  *_minIP.nii.gz                    its minimum-intensity projection
  *_tSWI.nii.gz, *_SMWI.nii.gz      SWI from susceptibility, if --config asks for it
  *_Chimap.nii.gz                   susceptibility in ppm
  *_paramagneticmap.nii.gz, *_diamagneticmap.nii.gz
                                    its two parts, with --r2, --r2-share or by --config
  *_R2starmap.nii.gz                R2* per second
  *_desc-brain_mask.nii.gz          brain mask
  *_desc-reliable_mask.nii.gz       where susceptibility is reliable
  *_desc-total_fieldmap.nii.gz, *_desc-local_fieldmap.nii.gz
                                    total and local field in hertz
  *_desc-quality_fieldmap.nii.gz    quality of the field, 0 to 1
  *_T2w.nii.gz, *_from-GRE_to-T2w_xfm.*
                                    the aligned T2w and its transform, for ITK and FSL
  *_desc-truth_measures.tsv         with --truth: error, similarity and linearity of the map"),
    ("Exit status", "  0  success
  1  the command or its input is wrong; the message names the remedy
  2  internal error
  3  some scans failed, each of them is named; the others are done"),
]))]
pub struct Recon {
    /// BIDS dataset with *_part-mag_MEGRE and *_part-phase_MEGRE
    #[arg(value_name = "BIDS")]
    pub data: Option<PathBuf>,
    /// Folder for the results
    #[arg(value_name = "OUT")]
    pub out: Option<PathBuf>,
    /// Folder for the results, if files are given
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub only: Labels,
    #[command(flatten)]
    pub choice: Choice,
    /// Brain mask on the echoes' grid [default: computed]; of a dataset, for one scan
    #[arg(long, value_name = "FILE")]
    pub mask: Option<PathBuf>,
    /// T2-weighted image of the same head, to align to the echoes; of a dataset, for one scan
    #[arg(long, value_name = "FILE")]
    pub t2w: Option<PathBuf>,
    /// True or reference susceptibility in ppm on the echoes' grid, to measure the map against; of a
    /// dataset, for one scan
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
    /// Tissue labels of the truth, numbered as in the phantom of the QSM challenge, to measure by tissue
    #[arg(long, value_name = "FILE", requires = "truth")]
    pub truth_labels: Option<PathBuf>,
    /// Measure this susceptibility map against --truth, without a reconstruction
    #[arg(long, value_name = "FILE", requires = "truth", conflicts_with_all = ["t2w", "unwrapping", "field_fit", "background", "inversion", "reference", "r2", "r2_share", "strict", "overwrite"])]
    pub chimap: Option<PathBuf>,
    /// Phase unwrapping [default: romeo]
    #[arg(long, value_name = "METHOD")]
    pub unwrapping: Option<UnwrappingName>,
    /// Field fit over echoes [default: early]
    #[arg(long, value_name = "METHOD")]
    pub field_fit: Option<FieldFitName>,
    /// Background field removal [default: tfi]
    #[arg(long, value_name = "METHOD")]
    pub background: Option<BackgroundName>,
    /// Dipole inversion [default: tv]
    #[arg(long, value_name = "METHOD")]
    pub inversion: Option<InversionName>,
    /// Tissue whose median susceptibility is zero [default: brain]
    #[arg(long, value_name = "TISSUE")]
    pub reference: Option<ReferenceName>,
    /// Read NaN and infinite voxels as zero instead of refusing the file
    #[arg(long)]
    pub nan_to_zero: bool,
    /// Refuse a scan about which there is any warning, and write no result for it
    #[arg(long)]
    pub strict: bool,
    /// Write over maps of another scan in the folder
    #[arg(long)]
    pub overwrite: bool,
    // Last: what follows a flattened group would stand under its heading.
    #[command(flatten)]
    pub raw: RawFiles,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_of_the_phase_that_help_names_is_taken() {
        let units = [
            ("auto", PhaseUnits::Auto),
            ("radians", PhaseUnits::Radians),
            ("stored-radians", PhaseUnits::StoredRadians),
            ("signed-4096", PhaseUnits::Signed4096),
            ("unsigned-4096", PhaseUnits::Unsigned4096),
            ("signed-2048", PhaseUnits::Signed2048),
            ("milliradians", PhaseUnits::Milliradians),
            ("degrees", PhaseUnits::Degrees),
            // As versions before wanted it.
            ("signed4096", PhaseUnits::Signed4096),
        ];
        for (text, unit) in units {
            assert_eq!(phase_units(text), Ok(unit));
        }
    }
}
