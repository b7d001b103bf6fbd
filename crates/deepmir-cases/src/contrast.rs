//! What the image in the place of the SWI shows.

use serde::{Deserialize, Serialize};

/// The contrast of the gradient-echo image that lesions are looked for in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Contrast {
    /// Susceptibility-weighted: magnitude times phase mask.
    #[serde(rename = "SWI")]
    Swi,
    /// T2*-weighted magnitude, without a phase mask.
    #[serde(rename = "T2starw")]
    T2StarMagnitude,
}

impl Contrast {
    /// As the files of models and quality sheets call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Swi => "SWI",
            Self::T2StarMagnitude => "T2starw",
        }
    }

    /// As messages call it.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Swi => "SWI",
            Self::T2StarMagnitude => "T2*-weighted magnitude",
        }
    }
}
