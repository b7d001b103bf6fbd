//! Drawn sources of susceptibility: lesions, and what looks like them.

mod lobule;
mod place;
mod progress;
mod raster;
mod signal;

use deepmir_volume::Affine;
use serde::{Deserialize, Serialize};

use crate::structure::Region;
pub use lobule::Lobule;
pub(crate) use lobule::Overlap;
pub(crate) use place::{Placer, count, draw_sources};
pub(crate) use progress::next_session;
pub(crate) use raster::{Inclusion, rasterise};
pub(crate) use signal::SourceSignal;

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SourceKind {
    /// A cerebral microbleed: label 1.
    #[serde(rename = "CMB")]
    Microbleed,
    /// A non-hemorrhage iron deposit: label 2.
    #[serde(rename = "NHID")]
    IronDeposit,
    /// A calcification: diamagnetic, no lesion.
    #[serde(rename = "calcification")]
    Calcification,
    /// A cluster like a cavernoma: no lesion that deepmir looks for.
    #[serde(rename = "cavernoma")]
    Cavernoma,
    /// A pial vessel that turns through the slices: no lesion.
    #[serde(rename = "vessel")]
    VesselLoop,
    /// A short piece of a vein in white matter: no lesion.
    #[serde(rename = "vein")]
    VeinPiece,
    /// A haemorrhage too large for a microbleed: no lesion that has a label.
    #[serde(rename = "haemorrhage")]
    Haemorrhage,
}

impl SourceKind {
    /// The value in label maps; `None` for mimics.
    pub fn label(self) -> Option<u8> {
        match self {
            Self::Microbleed => Some(1),
            Self::IronDeposit => Some(2),
            Self::Calcification
            | Self::Cavernoma
            | Self::VesselLoop
            | Self::VeinPiece
            | Self::Haemorrhage => None,
        }
    }

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Microbleed => "CMB",
            Self::IronDeposit => "NHID",
            Self::Calcification => "calcification",
            Self::Cavernoma => "cavernoma",
            Self::VesselLoop => "vessel",
            Self::VeinPiece => "vein",
            Self::Haemorrhage => "haemorrhage",
        }
    }
}

/// What became of a source since the session before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is the first session.
    Baseline,
    /// It was not there.
    New,
    /// It has become larger.
    Grown,
    /// It is as it was.
    Stable,
    /// It is no longer there, and not drawn.
    Vanished,
    /// It was put into the scan.
    Implant,
}

impl Change {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::New => "new",
            Self::Grown => "grown",
            Self::Stable => "stable",
            Self::Vanished => "vanished",
            Self::Implant => "implant",
        }
    }
}

/// One drawn source.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Number in the subject, from 1, the same in all sessions.
    pub id: u32,
    /// What it is.
    pub kind: SourceKind,
    /// Where it lies: a region, or the structure of a mimic.
    pub site: String,
    /// The region, for lesions.
    pub region: Option<Region>,
    /// Since the session before.
    pub change: Change,
    /// Susceptibility added to the tissue's, in ppm.
    pub chi_ppm: f64,
    /// The parts that it is the union of, in the head's millimetres.
    pub lobules: Vec<Lobule>,
}

impl Source {
    /// Whether it is in the image.
    pub fn is_present(&self) -> bool {
        self.change != Change::Vanished
    }

    /// Centre in the head's millimetres, weighted by the lobules' volumes.
    pub fn centre_mm(&self) -> [f64; 3] {
        let total: f64 = self.lobules.iter().map(Lobule::volume_mm3).sum();
        std::array::from_fn(|axis| {
            let sum: f64 = self
                .lobules
                .iter()
                .map(|lobule| lobule.centre_mm[axis] * lobule.volume_mm3())
                .sum();
            sum / total.max(1e-9)
        })
    }

    /// The same source in other millimetres; `rigid` takes its own to those.
    pub fn moved(&self, rigid: &Affine) -> Self {
        let lobules = self.lobules.iter().map(|lobule| lobule.moved(rigid)).collect();
        Self { lobules, ..self.clone() }
    }

    /// The largest distance of its surface from its centre in millimetres.
    pub fn reach_mm(&self) -> f64 {
        let centre = self.centre_mm();
        self.lobules
            .iter()
            .map(|lobule| {
                let apart: f64 =
                    (0..3).map(|axis| (lobule.centre_mm[axis] - centre[axis]).powi(2)).sum();
                apart.sqrt() + lobule.reach_mm()
            })
            .fold(0.0, f64::max)
    }
}
