//! When a region of the probability maps is a lesion: the thresholds that belong to a model.
//!
//! Two thresholds, as in hysteresis edge detection (Canny 1986), separate *how large is it* from *is it there*: voxels
//! that reach [`DetectionRule::candidate_threshold`] form candidates, and a candidate is a lesion if its score reaches
//! its class's [`ClassThreshold::detection_threshold`]. The class is decided for the whole candidate, so that one
//! deposit is not counted as a CMB and an NHID side by side.

use std::collections::BTreeMap;

use deepmir_lesion::{BrainExtent, Candidate, LesionClass};
use deepmir_volume::Mask;
use serde::{Deserialize, Serialize};

use crate::candidate_classifier::CandidateClassifier;

/// Thresholds of one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassThreshold {
    /// The least score of a lesion ([`Candidate::score`]): the candidate classifier's probability where there is one,
    /// else the highest probability in the region.
    pub detection_threshold: f32,
    /// Smaller candidates are rejected.
    pub min_volume_mm3: f64,
    /// Candidates that cannot reach this height across the slices are rejected: a vessel that crosses one slice or two
    /// looks like a microbleed there ([`Candidate::height_mm`]).
    #[serde(default)]
    pub min_height_mm: f64,
}

impl ClassThreshold {
    /// Whether a candidate of the class is a lesion.
    pub fn accepts(&self, candidate: &Candidate) -> bool {
        candidate.score() >= self.detection_threshold
            && candidate.lesion.volume_mm3 >= self.min_volume_mm3
            && candidate.height_mm >= self.min_height_mm
    }
}

/// Which blobs of the images are candidates, beside the regions that the networks mark. Only with a candidate
/// classifier: blobs have no score of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blobs {
    /// None.
    #[default]
    None,
    /// Bright blobs of the susceptibility map.
    Qsm,
    /// Blobs that stand out most in SWI (dark) and in the susceptibility map (bright) together.
    SwiQsm,
}

impl Blobs {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// When a region of a probability map is a lesion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectionRule {
    /// Voxels whose probability of any lesion reaches this form candidates.
    pub candidate_threshold: f32,
    /// Whether iron deposits are restricted to pallidum and putamen: what looks like one elsewhere is a microbleed.
    /// Without a brain mask this does nothing.
    #[serde(default)]
    pub restrict_nhid_to_basal_ganglia: bool,
    /// A lesion's mask keeps the voxels whose probability of any lesion reaches this, if any does: where candidates
    /// begin at low probabilities, lesions would come out too large. The candidate threshold where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask_threshold: Option<f32>,
    /// Blobs that are candidates, too, where they share no voxel with another.
    #[serde(default, skip_serializing_if = "Blobs::is_none")]
    pub blobs: Blobs,
    /// For each class that the model predicts, its thresholds.
    pub classes: BTreeMap<LesionClass, ClassThreshold>,
}

impl DetectionRule {
    /// One half for every threshold, any size: what argmax would give.
    pub fn half(classes: &[LesionClass]) -> Self {
        let threshold =
            ClassThreshold { detection_threshold: 0.5, min_volume_mm3: 0.0, min_height_mm: 0.0 };
        let classes = classes.iter().map(|&class| (class, threshold)).collect();
        Self {
            candidate_threshold: 0.5,
            restrict_nhid_to_basal_ganglia: false,
            mask_threshold: None,
            blobs: Blobs::None,
            classes,
        }
    }

    /// The thresholds of a class; `None` if the model does not predict it.
    pub fn threshold(&self, class: LesionClass) -> Option<ClassThreshold> {
        self.classes.get(&class).copied()
    }

    /// The least probability of a lesion's voxels.
    pub fn mask_threshold(&self) -> f32 {
        self.mask_threshold.unwrap_or(self.candidate_threshold)
    }

    /// Whether a candidate is a lesion: if its class is one that the model predicts, and its thresholds accept it.
    pub fn accepts(&self, candidate: &Candidate) -> bool {
        self.threshold(candidate.lesion.class).is_some_and(|threshold| threshold.accepts(candidate))
    }

    /// The brain's extent, where the rule restricts iron deposits by it.
    pub fn restricting_extent(&self, brain: &Mask) -> Option<BrainExtent> {
        if self.restrict_nhid_to_basal_ganglia { BrainExtent::of(brain) } else { None }
    }
}

/// How probability maps become lesions: thresholds, and the classifier that scores candidates where there is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// The thresholds.
    pub rule: DetectionRule,
    /// Stage 2: false-positive reduction.
    pub classifier: Option<CandidateClassifier>,
}

impl From<DetectionRule> for Detection {
    fn from(rule: DetectionRule) -> Self {
        Self { rule, classifier: None }
    }
}
