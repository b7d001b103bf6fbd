//! Boosting: rounds of trees, each fitted to the gradients of the loss after those before it.

use super::Tree;
use super::grow::{GradientPair, Table};
use crate::candidate_classifier::softmax;

/// How trees are grown.
#[derive(Clone, Copy, Debug)]
pub(in crate::candidate_classifier) struct BoostingParams {
    /// Rounds of boosting: trees for each class.
    pub rounds: usize,
    /// Shrinkage of each tree's leaves.
    pub learning_rate: f64,
    /// Leaves of a tree at most.
    pub max_leaves: usize,
    /// Samples in a leaf at least.
    pub min_samples_leaf: usize,
    /// L2 regularisation of leaf values: added to the sum of second derivatives.
    pub l2: f64,
}

/// Fits trees: for each round one tree for each kind, and before them what every row's score begins with.
/// `rows` are as long as each other, NaN where a value could not be measured; `truth[n]` is the kind of
/// row n, and every kind left `kinds` is there; `weights[n]` is how much the row counts.
pub(in crate::candidate_classifier) fn boost(
    rows: &[Vec<f32>],
    truth: &[usize],
    weights: &[f64],
    kinds: usize,
    params: &BoostingParams,
) -> (Vec<f64>, Vec<Vec<Tree>>) {
    let all: f64 = weights.iter().sum();
    let share = |kind| {
        let of_kind = weights.iter().zip(truth).filter(|(_, other)| **other == kind);
        of_kind.map(|(weight, _)| weight).sum::<f64>() / all
    };
    let mut offsets: Vec<f64> = (0..kinds).map(|kind| share(kind).max(1e-9).ln()).collect();
    let middle = offsets.iter().sum::<f64>() / kinds as f64;
    offsets.iter_mut().for_each(|offset| *offset -= middle);

    let scores = (0..rows.len()).flat_map(|_| offsets.iter().copied()).collect();
    let trees = boost_from(scores, rows, truth, weights, &vec![true; kinds], params);
    (offsets, trees)
}

/// [`boost`] from scores that rows have already, those of row n from `n * raised.len()` on; trees of kinds that are not
/// to be `raised` add nothing.
pub(in crate::candidate_classifier) fn boost_from(
    mut scores: Vec<f64>,
    rows: &[Vec<f32>],
    truth: &[usize],
    weights: &[f64],
    raised: &[bool],
    params: &BoostingParams,
) -> Vec<Vec<Tree>> {
    let table = Table::new(rows);
    let (count, kinds) = (rows.len(), raised.len());
    let mut trees = Vec::with_capacity(params.rounds);
    for _ in 0..params.rounds {
        let mut probabilities = scores.clone();
        probabilities.chunks_exact_mut(kinds).for_each(softmax);
        let round: Vec<Tree> = (0..kinds)
            .map(|kind| {
                if !raised[kind] {
                    return Tree { leaves: vec![0.0], ..Tree::default() };
                }
                let gradients = (0..count).map(|row| {
                    let probability = probabilities[row * kinds + kind];
                    let wrong = probability - f64::from(u8::from(truth[row] == kind));
                    GradientPair {
                        first: weights[row] * wrong,
                        second: weights[row] * probability * (1.0 - probability),
                    }
                });
                let gradients: Vec<GradientPair> = gradients.collect();
                table.grow(&gradients, params, |row, value| scores[row * kinds + kind] += value)
            })
            .collect();
        trees.push(round);
    }
    trees
}
