//! Reading a scan's files.

use std::path::PathBuf;

use deepmir_cases::EchoParts;
use deepmir_volume::nifti::Header;
use deepmir_volume::{Volume, Warning};

use super::pair::Pair;
use super::scaling::{HeaderScaling, PhaseRange, PhaseScaling, PhaseUnits};
use super::sidecar::Sidecar;
use super::spread::{self, Spread};
use super::{agreement, alternation, pairing};
use crate::ReconError;
use crate::scan::{Echo, GradientEchoScan, field_direction, range};

/// The files of a scan and what overrides their sidecars.
#[derive(Clone, Debug, Default)]
pub struct ScanFiles {
    /// One entry an echo in order of time, or one entry of 4D series.
    pub echoes: Vec<EchoParts>,
    /// Echo times in seconds; empty to take them from the sidecars.
    pub echo_times_s: Vec<f64>,
    /// Tesla; `None` to take it from the sidecars.
    pub field_strength_t: Option<f64>,
    /// The main field's direction along the voxel axes; `None` to take `B0Direction` from the
    /// sidecars, or else the affine.
    pub b0_direction: Option<[f64; 3]>,
}

/// How the images are to be understood.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadOptions {
    /// What the phase values mean.
    pub phase_units: PhaseUnits,
    /// The phase falls with time where the field is higher (as some scanners write it).
    pub invert_phase: bool,
    /// Reads NaN and infinite voxels as zero instead of refusing them.
    pub non_finite_as_zero: bool,
}

/// A scan that was read, and how.
#[derive(Clone, Debug)]
pub struct ScanInput {
    /// The scan.
    pub scan: GradientEchoScan,
    /// The first image's header, for outputs on its grid.
    pub header: Header,
    /// How the phase was scaled; `None` for real and imaginary images.
    pub phase_scaling: Option<PhaseScaling>,
    /// What was noticed: `echo_times_differ`, `field_strength_differs`, `slices_alternate`, `slices_inverted`.
    pub warnings: Vec<Warning>,
}

/// The echoes of a scan in memory, in order.
#[derive(Clone, Debug)]
pub struct EchoVolumes {
    /// What messages call magnitude and phase.
    pub names: (PathBuf, PathBuf),
    /// Magnitudes.
    pub magnitude: Vec<Volume<f32>>,
    /// Phases, in any unit that [`ReadOptions`] knows.
    pub phase: Vec<Volume<f32>>,
}

impl ScanFiles {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// Whatever is missing or cannot be, naming the file.
    pub fn read(&self, options: &ReadOptions) -> Result<ScanInput, ReconError> {
        let pairs = self.echoes.iter().map(|parts| Pair::read(parts, options));
        self.scan_of(pairs.collect::<Result<_, _>>()?, options)
    }

    /// As [`ScanFiles::read`], from magnitudes and phases in memory in place of the files of `echoes`. Their grid is that
    /// of `header`.
    ///
    /// # Errors
    /// Whatever is missing or cannot be, naming the image.
    pub fn of_volumes(
        &self,
        volumes: EchoVolumes,
        header: Header,
        options: &ReadOptions,
    ) -> Result<ScanInput, ReconError> {
        let EchoVolumes { names, magnitude, phase } = volumes;
        if magnitude.len() != phase.len() {
            return Err(ReconError::EchoCount {
                magnitudes: magnitude.len(),
                phases: phase.len(),
                path: names.0,
            });
        }
        if magnitude.is_empty() {
            return Err(ReconError::NoEchoes);
        }
        let pair = Pair {
            paths: names,
            first: magnitude,
            second: phase,
            header,
            second_scaling: HeaderScaling::NONE,
            sidecars: Default::default(),
            polar: true,
            of_files: false,
        };
        self.scan_of(vec![pair], options)
    }

    fn scan_of(&self, pairs: Vec<Pair>, options: &ReadOptions) -> Result<ScanInput, ReconError> {
        let first = pairs.first().ok_or(ReconError::NoEchoes)?;
        let header = first.header.clone();
        let first_path = first.paths.0.clone();
        let mut warnings = pairing::check(&pairs, &self.echo_times_s, self.field_strength_t)?;
        let echo_times_s = self.echo_times_s(&pairs)?;
        let field_strength_t = self
            .field_strength_t
            .or_else(|| told(&pairs, |sidecar| sidecar.field_strength_t))
            .ok_or(ReconError::MissingFieldStrength { path: first_path })?;
        let b0_direction = self
            .b0_direction
            .or_else(|| told(&pairs, |sidecar| sidecar.b0_direction))
            .unwrap_or_else(|| field_direction(header.grid()));
        let slice_axis = told(&pairs, |sidecar| sidecar.slice_axis);
        let phase_scaling = phase_scaling(&pairs, options.phase_units)?;
        let mut times = echo_times_s.into_iter();
        let echoes = pairs
            .into_iter()
            .flat_map(|pair| pair.into_polar(phase_scaling, options.invert_phase))
            .zip(&mut times)
            .map(|((name, magnitude, phase_rad), echo_time_s)| Echo {
                name,
                magnitude,
                phase_rad,
                echo_time_s,
            })
            .collect();
        let scan = GradientEchoScan::new(echoes, field_strength_t, b0_direction)?;
        let mut scan = scan.with_slice_axis(slice_axis);
        warnings.extend(alternation::undo(scan.echoes_mut()));
        agreement::check(scan.echoes())?;
        Ok(ScanInput { scan, header, phase_scaling, warnings })
    }

    fn echo_times_s(&self, pairs: &[Pair]) -> Result<Vec<f64>, ReconError> {
        let echoes: usize = pairs.iter().map(|pair| pair.first.len()).sum();
        // One sidecar cannot tell the times of a series.
        let from_sidecars = self.echo_times_s.is_empty() && pairs.len() == echoes;
        if from_sidecars {
            let time = |pair: &Pair| {
                let path = pair.paths.0.clone();
                pair.told(|sidecar| sidecar.echo_time_s).ok_or(ReconError::MissingEchoTime { path })
            };
            return pairs.iter().map(time).collect();
        }
        if self.echo_times_s.len() != echoes {
            return Err(ReconError::EchoTimeCount {
                times: self.echo_times_s.len(),
                echoes,
                path: pairs[0].paths.0.clone(),
            });
        }
        Ok(self.echo_times_s.clone())
    }
}

/// A field of the first pair whose JSON files have it.
fn told<T>(pairs: &[Pair], field: impl Fn(&Sidecar) -> Option<T>) -> Option<T> {
    pairs.iter().find_map(|pair| pair.told(&field))
}

/// One scaling for all phase images; `None` if there are only real and imaginary ones.
fn phase_scaling(pairs: &[Pair], units: PhaseUnits) -> Result<Option<PhaseScaling>, ReconError> {
    let phases = || pairs.iter().filter(|pair| pair.polar);
    let Some(first) = phases().next() else {
        return Ok(None);
    };
    let mut all = PhaseRange::EMPTY;
    let mut spreads = Vec::new();
    for pair in phases() {
        for (number, volume) in pair.second.iter().enumerate() {
            let (least, most) = range(volume);
            if least == most && pair.second.len() == 1 {
                let name = pair.paths.1.display().to_string();
                return Err(ReconError::FlatPhase { value: least, name });
            }
            all = all.with(least, most, pair.second_scaling);
            spreads.push(Spread::of(volume, (least, most), pair.name(number)));
        }
    }
    spread::check(&spreads)?;
    let radians =
        phases().all(|pair| pair.told(|sidecar| sidecar.units.clone()).as_deref() == Some("rad"));
    let name = first.paths.1.display().to_string();
    PhaseScaling::recognise(&all, radians, units, &name).map(Some)
}
