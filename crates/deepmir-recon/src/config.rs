//! All settings of a reconstruction.

use serde::{Deserialize, Serialize};

use crate::background::BackgroundRemoval;
use crate::brain::BrainConfig;
use crate::inversion::Inversion;
use crate::phase::OffsetConfig;
use crate::r2star::R2StarFit;
use crate::reliability::ReliabilityConfig;
use crate::swi::SwiConfig;

/// How the phase is unwrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unwrapping {
    /// Exactly, along the most trusted path (see [`crate::phase::unwrap_romeo`]).
    #[default]
    Romeo,
    /// By least squares (see [`crate::phase::unwrap_laplacian`]).
    Laplacian,
}

/// All settings; the defaults are those of the documentation's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReconConfig {
    /// Brain mask, where none is given.
    pub brain: BrainConfig,
    /// Phase offset.
    pub offset: OffsetConfig,
    /// Unwrapping.
    pub unwrapping: Unwrapping,
    /// Which voxels to trust.
    pub reliability: ReliabilityConfig,
    /// Background removal.
    pub background: BackgroundRemoval,
    /// Dipole inversion.
    pub inversion: Inversion,
    /// Susceptibility-weighted image.
    pub swi: SwiConfig,
    /// R2*.
    pub r2_star: R2StarFit,
}
