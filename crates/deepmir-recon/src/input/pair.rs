//! Both images of an echo.

use std::path::{Path, PathBuf};

use deepmir_volume::nifti::{self, Header};
use deepmir_volume::{Volume, check_same_grid};

use super::ReadOptions;
use super::scaling::{HeaderScaling, PhaseScaling};
use super::sidecar::Sidecar;
use crate::ReconError;
use deepmir_cases::EchoParts;

/// Both images of an echo, or of a series of them, as read.
pub(super) struct Pair {
    pub paths: (PathBuf, PathBuf),
    /// Magnitudes or real parts.
    pub first: Vec<Volume<f32>>,
    /// Phases or imaginary parts.
    pub second: Vec<Volume<f32>>,
    pub header: Header,
    pub second_scaling: HeaderScaling,
    /// What the JSON files of each say.
    pub sidecars: (Sidecar, Sidecar),
    pub polar: bool,
    /// The paths are those of files, not names of what was in memory.
    pub of_files: bool,
}

impl Pair {
    pub fn read(parts: &EchoParts, options: &ReadOptions) -> Result<Self, ReconError> {
        let (a, b) = parts.paths();
        let options = nifti::ReadOptions { nan_to_zero: options.non_finite_as_zero };
        let (one, other) =
            rayon::join(|| nifti::read_series(a, &options), || nifti::read_series(b, &options));
        let ((header, first), (other_header, second)) = (one?, other?);
        check_same_grid(
            (a, header.grid()),
            (b, other_header.grid()),
            "both images of an echo have one grid; convert the scan again",
        )?;
        if first.len() != second.len() {
            return Err(ReconError::EchoCount {
                magnitudes: first.len(),
                phases: second.len(),
                path: a.to_owned(),
            });
        }
        let second_scaling =
            HeaderScaling { slope: other_header.slope(), intercept: other_header.intercept() };
        Ok(Self {
            paths: (a.to_owned(), b.to_owned()),
            first,
            second,
            header,
            second_scaling,
            sidecars: (Sidecar::of(a)?, Sidecar::of(b)?),
            polar: matches!(parts, EchoParts::Polar { .. }),
            of_files: true,
        })
    }

    /// A field of the first image's JSON files, else of the second's.
    pub fn told<T>(&self, field: impl Fn(&Sidecar) -> Option<T>) -> Option<T> {
        field(&self.sidecars.0).or_else(|| field(&self.sidecars.1))
    }

    pub fn images(&self) -> [(&Path, &Sidecar); 2] {
        [(&self.paths.0, &self.sidecars.0), (&self.paths.1, &self.sidecars.1)]
    }

    /// What messages call the second image of one echo.
    pub fn name(&self, number: usize) -> String {
        let path = self.paths.1.display();
        let series = self.first.len() > 1;
        if series { format!("{path} (volume {})", number + 1) } else { path.to_string() }
    }

    /// Name, magnitude and phase of each echo.
    pub fn into_polar(
        self,
        scaling: Option<PhaseScaling>,
        invert: bool,
    ) -> Vec<(String, Volume<f32>, Volume<f32>)> {
        let sign = if invert { -1.0 } else { 1.0 };
        let names: Vec<String> = (0..self.first.len()).map(|number| self.name(number)).collect();
        let mut echoes = Vec::new();
        for (name, (mut a, mut b)) in names.into_iter().zip(self.first.into_iter().zip(self.second))
        {
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
            echoes.push((name, a, b));
        }
        echoes
    }
}
