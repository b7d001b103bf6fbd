//! The files of one echo of a gradient-echo scan.

use std::path::{Path, PathBuf};

/// The two images of an echo, or of all echoes as 4D series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EchoParts {
    /// Magnitude and phase.
    Polar {
        /// The magnitude file.
        magnitude: PathBuf,
        /// The phase file.
        phase: PathBuf,
    },
    /// Real and imaginary part.
    Cartesian {
        /// The file of the real part.
        real: PathBuf,
        /// The file of the imaginary part.
        imaginary: PathBuf,
    },
}

impl EchoParts {
    /// Magnitude and phase, or real and imaginary part.
    pub fn paths(&self) -> (&Path, &Path) {
        match self {
            Self::Polar { magnitude, phase } => (magnitude, phase),
            Self::Cartesian { real, imaginary } => (real, imaginary),
        }
    }
}
