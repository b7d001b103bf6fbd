//! A second look at candidates.
//!
//! A network that sees small patches calls many a vein a microbleed, with a probability as high as
//! any. What tells them apart is what is around: a bleed lies in tissue, a vein in the fluid of a
//! sulcus or in line with more of itself. So every candidate is measured ([`Features`]: size,
//! shape, place, the images in it and around it) and gradient boosted trees, learned from candidates of
//! subjects that the network did not learn from, give its probability of being each kind of lesion, or
//! nothing. What could not be measured, as an image was not given, is told apart, too. Beside what the network marks, the
//! brightest spots of the susceptibility map are looked at ([`Surroundings::spots`]), and a small network may look at
//! the images around each by itself ([`CloserLook`]): what it says is one measure more.

mod features;
mod fit;
mod further;
mod spots;
mod surroundings;
mod trees;

pub use features::{Feature, Features};
pub use fit::{Example, fit};
pub(crate) use further::PARTS;
pub use further::{Further, learn_further};
pub use surroundings::{CloserLook, LogOdds, Surroundings};
pub use trees::Tree;

use serde::{Deserialize, Serialize};

use crate::{BrainBox, Candidate, LesionClass, ProbabilityMaps};

/// Gradient boosted trees over [`Features`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondLook {
    /// The kinds that it tells; nothing comes before them.
    pub classes: Vec<LesionClass>,
    /// What its trees ask about, by column.
    pub features: Vec<Feature>,
    /// What the scores of nothing and of each kind begin with.
    pub offsets: Vec<f64>,
    /// For each round, the trees that add to the scores of nothing and of each kind.
    pub rounds: Vec<Vec<Tree>>,
}

impl SecondLook {
    /// Probability of nothing and of each kind.
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

    /// Its features by how large a share of all questions is about each, the most asked first.
    pub fn asked(&self) -> Vec<(Feature, f64)> {
        let mut counts = vec![0_usize; self.features.len()];
        self.trees().flat_map(|tree| &tree.column).for_each(|&column| counts[column] += 1);
        let all = counts.iter().sum::<usize>().max(1) as f64;
        let shares = self.features.iter().zip(&counts);
        let mut shares: Vec<(Feature, f64)> =
            shares.map(|(&feature, &count)| (feature, count as f64 / all)).collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        shares
    }

    /// Looks at candidates of `maps` again: each gets its probability of being a lesion, and the
    /// likelier class. With `deep`, iron deposits are those of the basal ganglia. What was measured on each.
    pub fn review(
        &self,
        candidates: &mut [Candidate],
        maps: &ProbabilityMaps,
        images: &Surroundings<'_>,
        deep: Option<&BrainBox>,
    ) -> Vec<Features> {
        let measured = Features::of_all(candidates, maps, images);
        self.judge_all(candidates, &measured, deep);
        measured
    }

    /// [`SecondLook::review`] of candidates whose features are known.
    pub fn judge_all<'a>(
        &self,
        candidates: &mut [Candidate],
        measured: impl IntoIterator<Item = &'a Features>,
        deep: Option<&BrainBox>,
    ) {
        for (candidate, features) in candidates.iter_mut().zip(measured) {
            self.judge(candidate, features, deep);
        }
    }

    fn judge(&self, candidate: &mut Candidate, features: &Features, deep: Option<&BrainBox>) {
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
        if self.rounds.iter().any(|trees| trees.len() != kinds) {
            return Some(format!("a round of the second look needs {kinds} trees"));
        }
        self.trees().find_map(|tree| tree.fault(self.features.len()))
    }
}

/// In place.
fn softmax(scores: &mut [f64]) {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores.iter_mut().for_each(|score| *score = (*score - highest).exp());
    let sum: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
}
