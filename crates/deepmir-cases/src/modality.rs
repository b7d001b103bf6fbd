//! The modalities that networks take.

use serde::{Deserialize, Serialize};

/// A modality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Modality {
    /// Susceptibility-weighted image (magnitude times phase mask), or a T2*-weighted one.
    #[serde(rename = "SWI")]
    Swi,
    /// Quantitative susceptibility map in ppm, paramagnetic positive.
    #[serde(rename = "QSM")]
    Qsm,
    /// T2-weighted image.
    #[serde(rename = "T2w")]
    T2w,
}

impl Modality {
    /// All, in the usual order.
    pub const ALL: [Self; 3] = [Self::Swi, Self::Qsm, Self::T2w];

    /// `SWI`, `QSM` or `T2w`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Swi => "SWI",
            Self::Qsm => "QSM",
            Self::T2w => "T2w",
        }
    }
}

impl std::fmt::Display for Modality {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.name())
    }
}

impl std::str::FromStr for Modality {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "swi" | "t2starw" | "t2*" => Ok(Self::Swi),
            "qsm" | "chimap" => Ok(Self::Qsm),
            "t2w" | "t2" => Ok(Self::T2w),
            _ => Err(format!("{text:?} is no modality; there are SWI, QSM and T2w")),
        }
    }
}
