//! The features of a candidate.

mod measure;

use serde::{Deserialize, Serialize};

use crate::ClassLogOdds;
use deepmir_lesion::LesionClass;

/// A measurement of a candidate. "Around it" is the brain between 1 and 3 mm from it; SWI and T2w are
/// normalised as for the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// Natural logarithm of the volume in mm³.
    Volume,
    /// −log₁₀(1 − p) of the highest probability p of any lesion, at most 4.
    Peak,
    /// The same of the mean probability of any lesion.
    Mean,
    /// NHID's share of the probability of any lesion.
    NhidShare,
    /// Longest principal axis over the second.
    Elongation,
    /// Second principal axis over the third.
    Flatness,
    /// Lowest SWI in the candidate.
    SwiLowest,
    /// Mean SWI in it.
    SwiMean,
    /// Median SWI around it.
    SwiAround,
    /// Standard deviation of SWI around it.
    SwiSpread,
    /// Tenth percentile of SWI around it.
    SwiDark,
    /// Lowest T2w in the candidate.
    T2wLowest,
    /// Mean T2w in it.
    T2wMean,
    /// Median T2w around it.
    T2wAround,
    /// Standard deviation of T2w around it: large in sulci, where veins lie in fluid.
    T2wSpread,
    /// Ninetieth percentile of T2w around it: high where there is fluid.
    T2wBright,
    /// Lowest susceptibility in the candidate.
    ChiLowest,
    /// Mean susceptibility in it.
    ChiMean,
    /// Highest susceptibility in it.
    ChiHighest,
    /// Median susceptibility around it.
    ChiAround,
    /// Standard deviation of susceptibility around it.
    ChiSpread,
    /// Depth under the brain's surface of its deepest voxel, in millimetres, at most 15.
    Depth,
    /// Share of what is around it that lies outside the brain.
    Outside,
    /// Natural logarithm of the volume in mm³ of the dark segment of SWI that it is part of: the connected
    /// voxels, in a box with a margin of 8 mm, that are nearer to its darkest voxel than to the median around it.
    DarkVolume,
    /// Longest principal axis of that segment in millimetres: a network marks only a part of a vein, the
    /// segment shows its length.
    DarkLength,
    /// Longest principal axis of that segment over the second.
    DarkElongation,
    /// As [`Feature::DarkVolume`], of the segment of high susceptibility.
    IronVolume,
    /// As [`Feature::DarkLength`], of that segment.
    IronLength,
    /// As [`Feature::DarkElongation`], of that segment.
    IronElongation,
    /// Highest probability of any lesion more than 1 mm away, in a box with a margin of 8 mm: networks mark
    /// veins in several pieces.
    NeighbourProbability,
    /// Distance from the midline, as a share of the brain's width.
    MidlineDistance,
    /// Position from the back of the brain to its front, 0 to 1.
    AnteriorPosterior,
    /// Position from the bottom of the brain to its top, 0 to 1.
    InferiorSuperior,
    /// Strongest response of the Laplacian of Gaussian to dark blobs of SWI in it, at the scales of microbleeds.
    SwiBlob,
    /// The same of bright blobs of the susceptibility map.
    ChiBlob,
    /// The same of dark blobs of T2w.
    T2wBlob,
    /// ln(1 + n), n being the number of blobs of the scan's susceptibility map with a stronger response.
    ChiRank,
    /// Fifth percentile of susceptibility around it: low next to streaks of a field inversion, or calcium.
    ChiDark,
    /// Share of it and of what is around it with a susceptibility of exactly zero: most methods of background
    /// field removal lose the brain's edge.
    Unmapped,
    /// Log-odds of a microbleed by the [patch classifier](crate::PatchScorer).
    PatchCmb,
    /// Log-odds of an iron deposit by the patch classifier.
    PatchNhid,
}

impl Feature {
    /// The name in model files: `swi-lowest`.
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.extend(letter.to_lowercase());
        }
        name
    }
}

/// Values of the features that could be measured, in the order of [`Feature`].
///
/// ```
/// use deepmir_detect::candidate_classifier::{Feature, Features};
/// use deepmir_lesion::LesionClass;
///
/// let mut features = Features::from_values(vec![(Feature::Volume, 2.5)]);
/// features.set_patch_log_odds(&vec![(LesionClass::Cmb, 1.25)]);
/// assert_eq!(features.get(Feature::PatchCmb), Some(1.25));
/// assert_eq!(features.get(Feature::Depth), None);
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Features(Vec<(Feature, f64)>);

impl Features {
    /// Features with the given values.
    pub fn from_values(values: Vec<(Feature, f64)>) -> Self {
        Self(values)
    }

    /// The value of a feature.
    pub fn get(&self, feature: Feature) -> Option<f64> {
        self.0.iter().find(|(other, _)| *other == feature).map(|(_, value)| *value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Feature, f64)> {
        self.0.iter().copied()
    }

    /// Sets the log-odds of a patch classifier, in place of earlier ones.
    pub fn set_patch_log_odds(&mut self, odds: &ClassLogOdds) {
        for &(class, value) in odds {
            let feature = match class {
                LesionClass::Cmb => Feature::PatchCmb,
                LesionClass::Nhid => Feature::PatchNhid,
            };
            self.0.retain(|(other, _)| *other != feature);
            self.set(feature, value);
        }
        self.sort();
    }

    /// The values of some features, NaN for a missing one.
    pub(super) fn row(&self, features: &[Feature]) -> Vec<f32> {
        let value = |&feature| self.get(feature).map_or(f32::NAN, |value| value as f32);
        features.iter().map(value).collect()
    }

    fn set(&mut self, feature: Feature, value: f64) {
        self.0.push((feature, value));
    }

    fn sort(&mut self) {
        self.0.sort_by_key(|(feature, _)| *feature);
    }
}
