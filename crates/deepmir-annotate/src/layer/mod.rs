//! The marks of one rater on one case: which voxel belongs to which lesion, and what the rater says
//! of each lesion.
//!
//! Voxels are counted on the case's image brought to RAS order (axes permuted and flipped, nothing
//! interpolated), the first axis running fastest.

mod apply;
mod delta;
mod grow;
mod operation;

use std::collections::BTreeMap;

use deepmir_lesion::{Change, LesionClass, MarsRegion};
use serde::{Deserialize, Serialize};

pub use apply::{CaseContext, apply};
pub use deepmir_lesion::Certainty;
pub use delta::Delta;
pub use grow::{MOST_GROWTH_MM, RegionGrowing, grow};
pub use operation::{Annotation as AnnotationChange, Operation, Run};

/// Where a mark came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Drawn by the rater.
    Drawn,
    /// A model's candidate that the rater accepted.
    Model,
    /// From a label map that was imported.
    Imported,
    /// Marked by both raters, or settled between them.
    Adjudicated,
}

impl Origin {
    /// As tables have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drawn => "drawn",
            Self::Model => "model",
            Self::Imported => "imported",
            Self::Adjudicated => "adjudicated",
        }
    }
}

/// What a rater says of a lesion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Annotation {
    /// What it is.
    pub class: LesionClass,
    /// How sure.
    pub certainty: Certainty,
    /// Where, if the rater said so.
    pub region: Option<MarsRegion>,
    /// In the rater's words.
    pub comment: String,
    /// Where the mark came from.
    pub origin: Origin,
    /// What became of it since the visit before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

impl Annotation {
    /// A definite lesion of which nothing more is said.
    pub fn new(class: LesionClass, origin: Origin) -> Self {
        Self {
            class,
            certainty: Certainty::Definite,
            region: None,
            comment: String::new(),
            origin,
            change: None,
        }
    }
}

/// What a rater decided on a candidate of a model, or an adjudicator on a disagreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Taken over as this lesion.
    Accepted(u16),
    /// Not a lesion.
    Rejected,
}

/// The marks of one rater on one case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Voxels that belong to a lesion, with its number.
    pub voxels: BTreeMap<u32, u16>,
    /// What is said of each lesion. Numbers are never used again.
    pub lesions: BTreeMap<u16, Annotation>,
    /// Decisions, by what was decided on.
    pub decisions: BTreeMap<String, Verdict>,
    /// What only a reader can say of two visits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<ReaderFindings>,
}

/// What a reader of two visits says beside the lesions, and signs with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderFindings {
    /// New areas of superficial siderosis; `None`: not said yet.
    pub siderosis_areas: Option<u16>,
    /// New macrohaemorrhages, larger than 10 mm; `None`: not said yet.
    pub macrohaemorrhages: Option<u16>,
    /// In the reader's words.
    pub remark: String,
    /// The reader's name as it is signed.
    pub reader: String,
}

impl Layer {
    /// The lesion that a voxel belongs to.
    pub fn lesion_at(&self, voxel: u32) -> Option<u16> {
        self.voxels.get(&voxel).copied()
    }

    /// The voxels of each lesion, ascending.
    pub fn voxels_of_lesions(&self) -> BTreeMap<u16, Vec<usize>> {
        let mut lesions: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        for (&voxel, &lesion) in &self.voxels {
            lesions.entry(lesion).or_default().push(voxel as usize);
        }
        lesions
    }

    /// The voxels as runs of one lesion along the first axis: start, length, lesion.
    pub fn runs(&self) -> Vec<(u32, u32, u16)> {
        let mut runs: Vec<(u32, u32, u16)> = Vec::new();
        for (&voxel, &lesion) in &self.voxels {
            match runs.last_mut() {
                Some((start, length, of)) if *of == lesion && *start + *length == voxel => {
                    *length += 1;
                }
                _ => runs.push((voxel, 1, lesion)),
            }
        }
        runs
    }
}
