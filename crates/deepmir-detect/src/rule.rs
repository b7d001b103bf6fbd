//! The detection rule: the thresholds of a model at which regions of its probability maps are lesions.
//!
//! Two thresholds, as in hysteresis edge detection (Canny 1986), separate the size of a lesion from its presence: voxels
//! that reach [`DetectionRule::candidate_threshold`] form candidates, and a candidate is a lesion if its score reaches
//! its class's [`ClassThreshold::detection_threshold`]. The class is decided for the whole candidate, so that one
//! deposit is not counted as a CMB and an NHID side by side.

use std::collections::BTreeMap;

use deepmir_lesion::{BasalGanglia, BrainExtent, Candidate, LesionClass};
use deepmir_volume::Mask;
use serde::{Deserialize, Serialize};

use crate::DetectError;
use crate::candidate_classifier::{Calibration, CandidateClassifier};

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

/// Which blobs of the images are candidates in addition to the regions that the networks mark. Needs a candidate
/// classifier: blobs have no score of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blobs {
    /// None.
    #[default]
    None,
    /// Bright blobs of the susceptibility map.
    Qsm,
    /// Blobs with the strongest response in SWI (dark) and the susceptibility map (bright) together.
    SwiQsm,
}

impl Blobs {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// When a region of a probability map is a lesion.
///
/// ```
/// use deepmir_detect::{ClassThreshold, DetectionRule};
/// use deepmir_lesion::{Candidate, Lesion, LesionClass};
/// use deepmir_volume::{Affine, Grid};
///
/// let grid = Grid::new([10, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
/// let lesion = Lesion::new(LesionClass::Cmb, vec![3, 4], &grid);
/// let candidate = Candidate::new(lesion, 0.7, 0.6, &grid);
/// let mut rule = DetectionRule::half(&[LesionClass::Cmb]);
/// assert!(rule.accepts(&candidate));
/// let large =
///     ClassThreshold { detection_threshold: 0.5, min_volume_mm3: 4.0, min_height_mm: 0.0 };
/// rule.classes.insert(LesionClass::Cmb, large);
/// assert!(!rule.accepts(&candidate));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectionRule {
    /// Voxels whose probability of any lesion reaches this form candidates.
    pub candidate_threshold: f32,
    /// Whether NHID is restricted to pallidum and putamen: elsewhere a candidate is a microbleed. They are those of a
    /// parcellation, or else a part of the brain's extent; without a brain mask this does nothing.
    #[serde(default)]
    pub restrict_nhid_to_basal_ganglia: bool,
    /// A lesion's mask keeps the voxels whose probability of any lesion reaches this, if any does: with a low candidate
    /// threshold lesions would be too large. The default is the candidate threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask_threshold: Option<f32>,
    /// Blobs that are candidates, too, if they share no voxel with another candidate.
    #[serde(default, skip_serializing_if = "Blobs::is_none")]
    pub blobs: Blobs,
    /// For each class that the model predicts, its thresholds.
    pub classes: BTreeMap<LesionClass, ClassThreshold>,
}

impl DetectionRule {
    /// A rule with all thresholds at one half and no limits of size, equivalent to argmax.
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

    /// Checks that every threshold is one.
    ///
    /// # Errors
    /// Naming the threshold that no probability or no size can be compared with.
    pub fn validate(&self) -> Result<(), DetectError> {
        let invalid = |reason: String| Err(DetectError::Invalid { reason });
        let probability = |value: f32| value > 0.0 && value <= 1.0;
        if !probability(self.candidate_threshold) {
            return invalid(format!(
                "candidate_threshold {} must lie above 0 and not above 1",
                self.candidate_threshold
            ));
        }
        if let Some(mask) = self.mask_threshold.filter(|mask| !(0.0..=1.0).contains(mask)) {
            return invalid(format!("mask_threshold {mask} must lie between 0 and 1"));
        }
        for (class, threshold) in &self.classes {
            let ClassThreshold { detection_threshold, min_volume_mm3, min_height_mm } = threshold;
            if !(0.0..=1.0).contains(detection_threshold) {
                return invalid(format!(
                    "detection_threshold {detection_threshold} of {class} must lie between 0 and 1"
                ));
            }
            let sizes = [min_volume_mm3, min_height_mm];
            if !sizes.iter().all(|size| size.is_finite() && **size >= 0.0) {
                return invalid(format!(
                    "min_volume_mm3 and min_height_mm of {class} must be numbers from 0 on"
                ));
            }
        }
        Ok(())
    }

    /// The thresholds of a class; `None` if the model does not predict it.
    pub fn threshold(&self, class: LesionClass) -> Option<ClassThreshold> {
        self.classes.get(&class).copied()
    }

    /// The least probability of a lesion's voxels.
    pub fn mask_threshold(&self) -> f32 {
        self.mask_threshold.unwrap_or(self.candidate_threshold)
    }

    /// Whether a candidate is a lesion: the model predicts its class, and the thresholds of the class accept it.
    pub fn accepts(&self, candidate: &Candidate) -> bool {
        self.threshold(candidate.lesion.class).is_some_and(|threshold| threshold.accepts(candidate))
    }

    /// The extent of the brain if the rule restricts NHID, else `None`.
    pub fn restricting_extent(&self, brain: &Mask) -> Option<BrainExtent> {
        if self.restrict_nhid_to_basal_ganglia { BrainExtent::of(brain) } else { None }
    }

    /// Where NHID may lie by the rule: near the `nuclei` of a parcellation, or else by the `extent` of the brain; `None`
    /// if it is not restricted.
    pub fn basal_ganglia<'a>(
        &self,
        nuclei: Option<&'a dyn BasalGanglia>,
        extent: Option<&'a BrainExtent>,
    ) -> Option<&'a dyn BasalGanglia> {
        let restricted = self.restrict_nhid_to_basal_ganglia;
        nuclei.or_else(|| by_extent(extent)).filter(|_| restricted)
    }
}

/// The basal ganglia by a brain's extent.
pub(crate) fn by_extent(extent: Option<&BrainExtent>) -> Option<&dyn BasalGanglia> {
    extent.map(|extent| extent as &dyn BasalGanglia)
}

/// A detection rule with its candidate classifier, if it has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// Thresholds.
    pub rule: DetectionRule,
    /// Stage 2, which scores candidates to reduce false positives.
    pub classifier: Option<CandidateClassifier>,
    /// What makes its probabilities true ones in the images that the scan has; those of a class that is not named are left
    /// as they are.
    pub calibration: BTreeMap<LesionClass, Calibration>,
}

impl From<DetectionRule> for Detection {
    fn from(rule: DetectionRule) -> Self {
        Self { rule, classifier: None, calibration: BTreeMap::new() }
    }
}
