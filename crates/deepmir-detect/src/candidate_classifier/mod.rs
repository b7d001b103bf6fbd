//! The candidate classifier: stage 2 of detection, which reduces false positives.
//!
//! A network that sees small patches marks many veins as microbleeds, with a probability as high as any. Their
//! surroundings differ: a microbleed lies in tissue, a vein in the fluid of a sulcus or in line with other pieces of it.
//! [`Features`] measure each candidate: size, shape, place, and the images in it and around it. Gradient boosted trees
//! turn them into the probability of each class and of "no lesion". The trees are fitted ([`fit`]) to candidates of
//! subjects that the network was not trained on, and can be fine-tuned to scans of another kind ([`warm_start`]). A
//! feature that cannot be measured, because an image was not given, is a missing value, which the trees handle. The
//! log-odds of a [patch classifier](crate::PatchScorer) are features, too.

mod calibration;
mod features;
mod fit;
mod trees;
mod warm_start;

pub use calibration::{Calibration, calibrate};
pub use features::{Feature, Features};
pub use fit::{Example, fit};
pub use trees::Tree;
pub(crate) use warm_start::FOLDS;
pub use warm_start::{WarmStart, first_fit, warm_start};

use deepmir_lesion::{BasalGanglia, Candidate, LesionClass};
use serde::{Deserialize, Serialize};

use crate::DetectError;

/// Gradient boosted trees over [`Features`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CandidateClassifier {
    /// The classes that it predicts. In every list of scores "no lesion" comes before them.
    pub classes: Vec<LesionClass>,
    /// The features that its trees split on, by column.
    pub features: Vec<Feature>,
    /// The initial scores of no lesion and of each class.
    pub offsets: Vec<f64>,
    /// For each round of boosting, a tree for the score of no lesion and one for that of each class.
    pub rounds: Vec<Vec<Tree>>,
}

impl CandidateClassifier {
    /// Probability of no lesion and of each class.
    pub fn probabilities(&self, features: &Features) -> Vec<f64> {
        let mut scores = self.scores(features);
        softmax(&mut scores);
        scores
    }

    fn scores(&self, features: &Features) -> Vec<f64> {
        let row = features.row(&self.features);
        let mut scores = self.offsets.clone();
        for trees in &self.rounds {
            for (score, tree) in scores.iter_mut().zip(trees) {
                *score += tree.value(&row);
            }
        }
        scores
    }

    /// All its trees.
    pub fn trees(&self) -> impl Iterator<Item = &Tree> {
        self.rounds.iter().flatten()
    }

    /// Each feature's share of all splits, the largest first.
    pub fn split_shares(&self) -> Vec<(Feature, f64)> {
        let mut counts = vec![0_usize; self.features.len()];
        self.trees().flat_map(|tree| &tree.column).for_each(|&column| counts[column] += 1);
        let all = counts.iter().sum::<usize>().max(1) as f64;
        let shares = self.features.iter().zip(&counts);
        let mut shares: Vec<(Feature, f64)> =
            shares.map(|(&feature, &count)| (feature, count as f64 / all)).collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        shares
    }

    /// Sets each candidate's probability of being a lesion, and its likelier class. With `basal_ganglia`, NHID is
    /// restricted to them.
    pub fn classify_all<'a>(
        &self,
        candidates: &mut [Candidate],
        features: impl IntoIterator<Item = &'a Features>,
        basal_ganglia: Option<&dyn BasalGanglia>,
    ) {
        for (candidate, features) in candidates.iter_mut().zip(features) {
            self.classify(candidate, features, basal_ganglia);
        }
    }

    fn classify(
        &self,
        candidate: &mut Candidate,
        features: &Features,
        basal_ganglia: Option<&dyn BasalGanglia>,
    ) {
        let probabilities = self.probabilities(features);
        let elsewhere =
            basal_ganglia.is_some_and(|there| !there.may_hold(candidate.lesion.centre_mm));
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
        candidate.lesion_probability = Some((1.0 - probabilities[0]) as f32);
    }

    /// Checks that the parts fit together and that every tree can be followed to a leaf.
    ///
    /// # Errors
    /// [`DetectError::Invalid`], with what is wrong.
    pub fn validate(&self) -> Result<(), DetectError> {
        let invalid = |reason: String| Err(DetectError::Invalid { reason });
        let outputs = self.classes.len() + 1;
        let twice = |n: usize| self.classes[..n].contains(&self.classes[n]);
        if self.classes.is_empty() || (0..self.classes.len()).any(twice) {
            return invalid("a candidate classifier needs one or two different classes".to_owned());
        }
        if self.offsets.len() != outputs {
            return invalid(format!(
                "a candidate classifier of {outputs} outputs needs as many offsets"
            ));
        }
        if !self.offsets.iter().all(|offset| offset.is_finite()) {
            return invalid("an offset of the candidate classifier is no number".to_owned());
        }
        if self.rounds.iter().any(|trees| trees.len() != outputs) {
            return invalid(format!(
                "each round of the candidate classifier needs {outputs} trees"
            ));
        }
        self.trees().try_for_each(|tree| tree.validate(self.features.len()))
    }
}

/// In place.
fn softmax(scores: &mut [f64]) {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores.iter_mut().for_each(|score| *score = (*score - highest).exp());
    let sum: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
}
