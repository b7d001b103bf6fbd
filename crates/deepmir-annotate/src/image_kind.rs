//! The kinds of images of a case.

use deepmir_cases::Modality;
use serde::{Deserialize, Serialize};

/// A kind of image that the page shows: a [`Modality`], a phase image or a projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ImageKind {
    /// Susceptibility-weighted image; the grid that is marked.
    #[serde(rename = "SWI")]
    Swi,
    /// Susceptibility map in ppm.
    #[serde(rename = "QSM")]
    Qsm,
    /// T2-weighted image.
    T2w,
    /// Phase, or a field map.
    #[serde(rename = "phase")]
    Phase,
    /// Minimum-intensity projection of the SWI.
    #[serde(rename = "minIP")]
    MinIp,
    /// The SWI of the visit before, as all its images resampled to where the head lies now.
    #[serde(rename = "baseline SWI")]
    BaselineSwi,
    /// The susceptibility map of the visit before.
    #[serde(rename = "baseline QSM")]
    BaselineQsm,
    /// The T2-weighted image of the visit before.
    #[serde(rename = "baseline T2w")]
    BaselineT2w,
    /// The projection of the SWI of the visit before.
    #[serde(rename = "baseline minIP")]
    BaselineMinIp,
}

impl From<Modality> for ImageKind {
    fn from(modality: Modality) -> Self {
        match modality {
            Modality::Swi => Self::Swi,
            Modality::Qsm => Self::Qsm,
            Modality::T2w => Self::T2w,
        }
    }
}

impl ImageKind {
    /// As the page shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Swi => Modality::Swi.name(),
            Self::Qsm => Modality::Qsm.name(),
            Self::T2w => Modality::T2w.name(),
            Self::Phase => "phase",
            Self::MinIp => "minIP",
            Self::BaselineSwi => "baseline SWI",
            Self::BaselineQsm => "baseline QSM",
            Self::BaselineT2w => "baseline T2w",
            Self::BaselineMinIp => "baseline minIP",
        }
    }

    /// The same kind of the visit before.
    pub fn at_baseline(modality: Modality) -> Self {
        match modality {
            Modality::Swi => Self::BaselineSwi,
            Modality::Qsm => Self::BaselineQsm,
            Modality::T2w => Self::BaselineT2w,
        }
    }

    /// Whether it is a susceptibility map.
    pub fn is_qsm(self) -> bool {
        matches!(self, Self::Qsm | Self::BaselineQsm)
    }
}
