//! Where a lesion lies by a parcellation of the brain.

use serde::{Deserialize, Serialize};

use crate::{Lobe, MarsRegion, Region};

/// A side of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The left of the patient.
    Left,
    /// The right of the patient.
    Right,
}

impl Side {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

/// A place in the brain, in the terms of rating scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The region that MARS counts it in.
    pub mars: MarsRegion,
    /// The lobe around it; deep white matter has one too, where the parcellation tells it.
    pub lobe: Option<Lobe>,
    /// Left or right; `None` in what has no sides, such as the brainstem.
    pub side: Option<Side>,
}

impl Place {
    /// Lobar, deep or infratentorial.
    pub fn region(&self) -> Region {
        self.mars.region()
    }
}
