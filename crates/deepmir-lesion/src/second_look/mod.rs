//! A second look at candidates.
//!
//! A network that sees small patches calls many a vein a microbleed, with a probability as high as
//! any. What tells them apart is what is around: a bleed lies in tissue, a vein in the fluid of a
//! sulcus or in line with more of itself. So every candidate is measured ([`Features`]: size,
//! shape, the images in it and around it) and a multinomial logistic regression, learned from
//! candidates of subjects that the network did not learn from, gives its probability of being each
//! kind of lesion, or nothing. It weighs each measure, and how unusual it is.

mod features;
mod fit;
mod surroundings;

pub use features::{Feature, Features};
pub use fit::{Example, fit};
pub use surroundings::Surroundings;

use serde::{Deserialize, Serialize};

use crate::{BrainBox, Candidate, LesionClass, ProbabilityMaps};

/// A multinomial logistic regression over [`Features`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondLook {
    /// The kinds that it tells; nothing comes before them.
    pub classes: Vec<LesionClass>,
    /// Score of nothing and of each kind where every feature has its mean.
    pub offsets: Vec<f64>,
    /// What it weighs.
    pub features: Vec<WeighedFeature>,
}

/// A feature's part in a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeighedFeature {
    /// Which.
    pub name: Feature,
    /// Its mean over what was learned from; stands in where it cannot be measured.
    pub mean: f64,
    /// Its deviation there.
    pub deviation: f64,
    /// What one deviation adds to the score of nothing and of each kind.
    pub weights: Vec<f64>,
    /// What its being unusual adds, (min(d², 16) − 1) / 2 at d deviations; none in looks learned before
    /// that was weighed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unusual: Vec<f64>,
}

/// How unusual a value is, whichever way: the square of its deviations from the mean, at most 16, on a
/// scale where normal values have mean 0 and a deviation near 1. A lesion is neither very small nor very
/// large, neither the roundest nor the longest, which a weight of the value alone cannot say.
pub(crate) fn unusual(deviations: f64) -> f64 {
    ((deviations * deviations).min(16.0) - 1.0) / 2.0
}

impl SecondLook {
    /// Probability of nothing and of each kind.
    pub fn probabilities(&self, features: &Features) -> Vec<f64> {
        let mut scores = self.offsets.clone();
        for feature in &self.features {
            let Some(value) = features.get(feature.name) else { continue };
            let deviations = (value - feature.mean) / feature.deviation;
            for (score, weight) in scores.iter_mut().zip(&feature.weights) {
                *score += weight * deviations;
            }
            for (score, weight) in scores.iter_mut().zip(&feature.unusual) {
                *score += weight * unusual(deviations);
            }
        }
        fit::softmax(&mut scores);
        scores
    }

    /// Looks at candidates of `maps` again: each gets its probability of being a lesion, and the
    /// likelier class. With `deep`, iron deposits are those of the basal ganglia.
    pub fn review(
        &self,
        candidates: &mut [Candidate],
        maps: &ProbabilityMaps,
        images: &Surroundings<'_>,
        deep: Option<&BrainBox>,
    ) {
        for candidate in candidates {
            let features = Features::of(candidate, maps, images);
            self.judge(candidate, &features, deep);
        }
    }

    /// [`SecondLook::review`] of one candidate whose features are known.
    pub fn judge(&self, candidate: &mut Candidate, features: &Features, deep: Option<&BrainBox>) {
        let probabilities = self.probabilities(features);
        let elsewhere =
            deep.is_some_and(|brain| !brain.may_hold_iron_deposits(candidate.lesion.centre_mm));
        let may_be = |class: LesionClass| {
            class == LesionClass::Cmb || !elsewhere || !self.classes.contains(&LesionClass::Cmb)
        };
        let likeliest = self
            .classes
            .iter()
            .zip(&probabilities[1..])
            .filter(|(class, _)| may_be(**class))
            .max_by(|a, b| a.1.total_cmp(b.1));
        if let Some((&class, _)) = likeliest {
            candidate.lesion.class = class;
        }
        candidate.second_look = Some((1.0 - probabilities[0]) as f32);
    }

    /// Why this cannot be followed; `None` if it can.
    pub fn fault(&self) -> Option<String> {
        let kinds = self.classes.len() + 1;
        let twice = |n: usize| self.classes[..n].contains(&self.classes[n]);
        if self.classes.is_empty() || (0..self.classes.len()).any(twice) {
            return Some("a second look needs one or two different classes".to_owned());
        }
        if self.offsets.len() != kinds {
            return Some(format!("a second look at {kinds} kinds needs as many offsets"));
        }
        let odd = self.features.iter().find(|feature| {
            feature.weights.len() != kinds
                || !(feature.unusual.is_empty() || feature.unusual.len() == kinds)
                || !(feature.deviation > 0.0 && feature.deviation.is_finite())
        });
        odd.map(|feature| {
            format!(
                "feature {:?} of the second look needs {kinds} weights and a positive deviation",
                feature.name
            )
        })
    }
}
