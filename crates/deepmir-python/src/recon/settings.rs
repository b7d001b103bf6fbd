//! The settings of a reconstruction and its echoes, as the Python part gives them.

use std::path::PathBuf;

use deepmir_pipeline::recon::ReconSettings;
use deepmir_recon::background::BackgroundRemoval;
use deepmir_recon::input::{EchoParts, EchoVolumes, PhaseUnits, ReadOptions, ScanFiles, ScanInput};
use deepmir_recon::inversion::Inversion;
use deepmir_recon::separation::SeparationConfig;
use deepmir_recon::{FieldFitMethod, ReconError, Reference, Unwrapping};
use deepmir_volume::nifti;
use pyo3::prelude::*;

use crate::failure::Failure;
use crate::images::Array;

/// The echoes of a scan.
#[derive(FromPyObject)]
pub enum Echoes {
    /// Magnitude and phase files.
    Files(Vec<(PathBuf, PathBuf)>),
    /// Magnitudes and phases, in order, on one grid.
    Arrays(Vec<(Array, Array)>),
}

/// Settings by their names on the command line.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Settings {
    echo_times: Vec<f64>,
    field_strength: Option<f64>,
    b0_direction: Option<[f64; 3]>,
    phase_units: String,
    invert_phase: bool,
    nan_to_zero: bool,
    unwrapping: String,
    field_fit: String,
    background: String,
    inversion: String,
    reference: String,
    r2_share: Option<f64>,
}

impl Settings {
    /// How images are read.
    pub fn read(&self) -> nifti::ReadOptions {
        nifti::ReadOptions { nan_to_zero: self.nan_to_zero }
    }

    /// Reads or takes the echoes; their files, where they are files.
    pub fn scan(&self, echoes: Echoes) -> Result<(ScanInput, ScanFiles), Failure> {
        let phase_units: PhaseUnits = serde_json::from_value(self.phase_units.as_str().into())
            .map_err(|error| {
                Failure::input(format!("phase_units is {:?}: {error}", self.phase_units))
            })?;
        let options = ReadOptions {
            phase_units,
            invert_phase: self.invert_phase,
            non_finite_as_zero: self.nan_to_zero,
        };
        let mut files = ScanFiles {
            echoes: Vec::new(),
            echo_times_s: self.echo_times.clone(),
            field_strength_t: self.field_strength,
            b0_direction: self.b0_direction,
        };
        match echoes {
            Echoes::Files(pairs) => {
                let parts = pairs.into_iter();
                files.echoes =
                    parts.map(|(magnitude, phase)| EchoParts::Polar { magnitude, phase }).collect();
                Ok((files.read(&options)?, files))
            }
            Echoes::Arrays(pairs) => Ok((self.scan_of(&pairs, &files, &options)?, files)),
        }
    }

    fn scan_of(
        &self,
        pairs: &[(Array, Array)],
        files: &ScanFiles,
        options: &ReadOptions,
    ) -> Result<ScanInput, Failure> {
        let read = self.read();
        let (mut magnitude, mut phase, mut header) = (Vec::new(), Vec::new(), None);
        for (one, other) in pairs {
            let image = one.image(&read)?;
            header.get_or_insert(image.header);
            magnitude.push(image.volume);
            phase.push(other.image(&read)?.volume);
        }
        let (Some(header), Some((one, other))) = (header, pairs.first()) else {
            return Err(ReconError::NoEchoes.into());
        };
        let names = (one.name().to_owned(), other.name().to_owned());
        Ok(files.of_volumes(EchoVolumes { names, magnitude, phase }, header, options)?)
    }

    /// From echoes to maps, and T2w to them.
    pub fn chain(&self) -> Result<ReconSettings, Failure> {
        let unknown = |what: &str, name: &str, there: &str| {
            Failure::input(format!("{what} is {name:?}; there are {there}"))
        };
        let mut settings = ReconSettings::default();
        settings.chain.unwrapping = match self.unwrapping.as_str() {
            "romeo" => Unwrapping::Romeo,
            "laplacian" => Unwrapping::Laplacian,
            name => return Err(unknown("unwrapping", name, "romeo and laplacian")),
        };
        settings.chain.field_fit = match self.field_fit.as_str() {
            "early" => FieldFitMethod::Early,
            "line" => FieldFitMethod::Line,
            "complex" => FieldFitMethod::Complex,
            name => return Err(unknown("field_fit", name, "early, line and complex")),
        };
        settings.chain.background = match self.background.as_str() {
            "tfi" => BackgroundRemoval::TFI,
            "vsharp" => BackgroundRemoval::VSHARP,
            "resharp" => BackgroundRemoval::RESHARP,
            "pdf" => BackgroundRemoval::PDF,
            name => return Err(unknown("background", name, "tfi, vsharp, resharp and pdf")),
        };
        settings.chain.inversion = match self.inversion.as_str() {
            "tv" => Inversion::TOTAL_VARIATION,
            "tkd" => Inversion::THRESHOLDED_KERNEL,
            "l2" => Inversion::CLOSED_FORM_L2,
            name => return Err(unknown("inversion", name, "tv, tkd and l2")),
        };
        let of_share = |share| SeparationConfig { r2_share: Some(share), ..Default::default() };
        settings.chain.separation = self.r2_share.map(of_share);
        settings.reference = match self.reference.as_str() {
            "brain" => Reference::Brain,
            "fluid" => Reference::Fluid,
            name => return Err(unknown("reference", name, "brain and fluid")),
        };
        Ok(settings)
    }
}
