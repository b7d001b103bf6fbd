//! Where a lesion lies by a parcellation of the brain.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use crate::{Lobe, MarsRegion, Region};

/// A side of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The left of the patient.
    #[serde(alias = "L")]
    Left,
    /// The right of the patient.
    #[serde(alias = "R")]
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

/// What tells where iron deposits may lie: the nuclei of a parcellated brain, or else the extent of the brain.
pub trait BasalGanglia: Debug + Sync {
    /// Whether a point (RAS millimetres) may belong to pallidum or putamen.
    fn may_hold(&self, point_mm: [f64; 3]) -> bool;
}

/// What tells where in a brain a point lies: a parcellation.
pub trait FindPlace: Debug + Sync {
    /// The place of a point (RAS millimetres); `None` outside the brain.
    fn at(&self, point_mm: [f64; 3]) -> Option<Place>;
}
