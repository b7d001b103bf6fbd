//! What a rater can do, as the page sends it.

use deepmir_lesion::{Change, LesionClass, MarsRegion};
use serde::{Deserialize, Serialize};

use super::{Certainty, ReaderFindings};
use crate::image_kind::ImageKind;

/// Voxels next to each other along the first axis: the first one and how many.
pub type Run = (u32, u32);

/// One thing done; each is a step of undo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Operation {
    /// Mark voxels. Voxels of other lesions stay theirs.
    Paint {
        /// The voxels.
        runs: Vec<Run>,
        /// What a new lesion is.
        class: LesionClass,
        /// The lesion they join [default: one of the class that they touch, else a new one].
        lesion: Option<u16>,
        /// Make a new lesion though they touch one.
        #[serde(default)]
        apart: bool,
    },
    /// Clear voxels, whatever lesion they belong to.
    Erase {
        /// The voxels.
        runs: Vec<Run>,
    },
    /// Mark what is as dark (SWI) or bright (QSM) as a place, connected to it, within a sphere.
    Grow {
        /// The place.
        seed: u32,
        /// Radius of the sphere.
        radius_mm: f64,
        /// The image to look at.
        image: ImageKind,
        /// 0: only what is like the seed; 1: all that is not like the surroundings.
        tolerance: f32,
        /// What a new lesion is.
        class: LesionClass,
        /// The lesion it joins, as for painting.
        lesion: Option<u16>,
        /// Make a new lesion, as for painting.
        #[serde(default)]
        apart: bool,
    },
    /// Fill what a lesion encloses in each axial slice.
    Fill {
        /// The lesion.
        lesion: u16,
    },
    /// Say something of a lesion.
    Annotate {
        /// The lesion.
        lesion: u16,
        /// What is said; the rest stays.
        #[serde(flatten)]
        change: Annotation,
    },
    /// Take a lesion away.
    Delete {
        /// The lesion.
        lesion: u16,
    },
    /// Take over a model's candidate or one side of a disagreement.
    Accept {
        /// Which.
        candidate: String,
    },
    /// Decide that it is no lesion.
    Reject {
        /// Which.
        candidate: String,
    },
    /// Take a decision back, with the lesion it made.
    Withdraw {
        /// Which.
        candidate: String,
    },
    /// Say of two visits what is no lesion of the list.
    Findings {
        /// What is said.
        findings: ReaderFindings,
    },
}

impl Operation {
    /// Its name in the store.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Paint { .. } => "paint",
            Self::Erase { .. } => "erase",
            Self::Grow { .. } => "grow",
            Self::Fill { .. } => "fill",
            Self::Annotate { .. } => "annotate",
            Self::Delete { .. } => "delete",
            Self::Accept { .. } => "accept",
            Self::Reject { .. } => "reject",
            Self::Withdraw { .. } => "withdraw",
            Self::Findings { .. } => "findings",
        }
    }
}

/// What may be said of a lesion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Annotation {
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<LesionClass>,
    /// How sure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certainty: Option<Certainty>,
    /// Where; an inner `None` takes it back.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub region: Option<Option<MarsRegion>>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What became of it since the visit before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// Tells `null` (take it back) from a field that is not there.
fn given<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<MarsRegion>>, D::Error> {
    Option::<MarsRegion>::deserialize(deserializer).map(Some)
}
