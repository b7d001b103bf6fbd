//! Reading a scan's files.

use std::path::PathBuf;

use deepmir_cases::EchoParts;
use deepmir_volume::nifti::{self, Header};
use deepmir_volume::{GridMismatch, Volume, VolumeError};

use super::scaling::{HeaderScaling, PhaseRange, PhaseScaling, PhaseUnits};
use super::sidecar::Sidecar;
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
            sidecar: Sidecar::default(),
            polar: true,
        };
        self.scan_of(vec![pair], options)
    }

    fn scan_of(&self, pairs: Vec<Pair>, options: &ReadOptions) -> Result<ScanInput, ReconError> {
        let first = pairs.first().ok_or(ReconError::NoEchoes)?;
        let header = first.header.clone();
        let first_path = first.paths.0.clone();
        let echo_times_s = self.echo_times_s(&pairs)?;
        let field_strength_t = self
            .field_strength_t
            .or_else(|| pairs.iter().find_map(|pair| pair.sidecar.field_strength_t))
            .ok_or(ReconError::MissingFieldStrength { path: first_path })?;
        let b0_direction = self
            .b0_direction
            .or_else(|| pairs.iter().find_map(|pair| pair.sidecar.b0_direction))
            .unwrap_or_else(|| field_direction(header.grid()));
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
        Ok(ScanInput { scan, header, phase_scaling })
    }

    fn echo_times_s(&self, pairs: &[Pair]) -> Result<Vec<f64>, ReconError> {
        let echoes: usize = pairs.iter().map(|pair| pair.first.len()).sum();
        // One sidecar cannot tell the times of a series.
        let from_sidecars = self.echo_times_s.is_empty() && pairs.len() == echoes;
        if from_sidecars {
            let time = |pair: &Pair| {
                let path = pair.paths.0.clone();
                pair.sidecar.echo_time_s.ok_or(ReconError::MissingEchoTime { path })
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

/// Both images of an echo, or of a series of them, as read.
struct Pair {
    paths: (PathBuf, PathBuf),
    /// Magnitudes or real parts.
    first: Vec<Volume<f32>>,
    /// Phases or imaginary parts.
    second: Vec<Volume<f32>>,
    header: Header,
    second_scaling: HeaderScaling,
    sidecar: Sidecar,
    polar: bool,
}

impl Pair {
    fn read(parts: &EchoParts, options: &ReadOptions) -> Result<Self, ReconError> {
        let (a, b) = parts.paths();
        let options = nifti::ReadOptions { nan_to_zero: options.non_finite_as_zero };
        let (one, other) =
            rayon::join(|| nifti::read_series(a, &options), || nifti::read_series(b, &options));
        let ((header, first), (other_header, second)) = (one?, other?);
        if !header.grid().same_as(other_header.grid()) {
            return Err(VolumeError::GridMismatch(Box::new(GridMismatch {
                reference: a.to_owned(),
                reference_grid: *header.grid(),
                other: b.to_owned(),
                other_grid: *other_header.grid(),
                remedy: "both images of an echo have one grid; convert the scan again".to_owned(),
            }))
            .into());
        }
        if first.len() != second.len() {
            return Err(ReconError::EchoCount {
                magnitudes: first.len(),
                phases: second.len(),
                path: a.to_owned(),
            });
        }
        let second_scaling =
            HeaderScaling { slope: other_header.slope(), intercept: other_header.intercept() };
        let sidecar = Sidecar::beside(a)?.or(Sidecar::beside(b)?);
        let polar = matches!(parts, EchoParts::Polar { .. });
        let paths = (a.to_owned(), b.to_owned());
        Ok(Self { paths, first, second, header, second_scaling, sidecar, polar })
    }

    /// Name, magnitude and phase of each echo.
    fn into_polar(
        self,
        scaling: Option<PhaseScaling>,
        invert: bool,
    ) -> Vec<(String, Volume<f32>, Volume<f32>)> {
        let sign = if invert { -1.0 } else { 1.0 };
        let series = self.first.len() > 1;
        let mut echoes = Vec::new();
        for (number, (mut a, mut b)) in self.first.into_iter().zip(self.second).enumerate() {
            match scaling.filter(|_| self.polar) {
                Some(scaling) => b.data_mut().iter_mut().for_each(|value| {
                    *value = sign * scaling.radians(*value, self.second_scaling);
                }),
                None => {
                    for (a, b) in a.data_mut().iter_mut().zip(b.data_mut()) {
                        (*a, *b) = (a.hypot(*b), sign * b.atan2(*a));
                    }
                }
            }
            let path = self.paths.1.display();
            let name =
                if series { format!("{path} (volume {})", number + 1) } else { path.to_string() };
            echoes.push((name, a, b));
        }
        echoes
    }
}

/// One scaling for all phase images; `None` if there are only real and imaginary ones.
fn phase_scaling(pairs: &[Pair], units: PhaseUnits) -> Result<Option<PhaseScaling>, ReconError> {
    let phases = || pairs.iter().filter(|pair| pair.polar);
    let Some(first) = phases().next() else {
        return Ok(None);
    };
    let mut all = PhaseRange::EMPTY;
    for pair in phases() {
        for volume in &pair.second {
            let (least, most) = range(volume);
            if least == most && pair.second.len() == 1 {
                let name = pair.paths.1.display().to_string();
                return Err(ReconError::FlatPhase { value: least, name });
            }
            all = all.with(least, most, pair.second_scaling);
        }
    }
    let radians = phases().all(|pair| pair.sidecar.units.as_deref() == Some("rad"));
    let name = first.paths.1.display().to_string();
    PhaseScaling::recognise(&all, radians, units, &name).map(Some)
}
