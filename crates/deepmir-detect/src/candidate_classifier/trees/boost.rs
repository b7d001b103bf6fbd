//! Boosting: rounds of trees, each fitted to the gradients of the loss after those before it.

use super::Tree;
use super::grow::{GradientPair, Table};
use crate::candidate_classifier::softmax;

/// How trees are grown.
#[derive(Clone, Copy, Debug)]
pub(in crate::candidate_classifier) struct BoostingParams {
    /// Rounds of boosting, each with one tree for each output.
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

/// Fits trees: the initial score of each output, and for each round one tree for each output. `rows` have one length,
/// with NaN for a missing value; `truth[n]` is the output of row n, and every output occurs; `weights[n]` is the
/// weight of row n.
pub(in crate::candidate_classifier) fn boost(
    rows: &[Vec<f32>],
    truth: &[usize],
    weights: &[f64],
    outputs: usize,
    params: &BoostingParams,
) -> (Vec<f64>, Vec<Vec<Tree>>) {
    let all: f64 = weights.iter().sum();
    let share = |output| {
        let of_output = weights.iter().zip(truth).filter(|(_, other)| **other == output);
        of_output.map(|(weight, _)| weight).sum::<f64>() / all
    };
    let mut offsets: Vec<f64> = (0..outputs).map(|output| share(output).max(1e-9).ln()).collect();
    let middle = offsets.iter().sum::<f64>() / outputs as f64;
    offsets.iter_mut().for_each(|offset| *offset -= middle);

    let scores = (0..rows.len()).flat_map(|_| offsets.iter().copied()).collect();
    let trees = boost_from(scores, rows, truth, weights, &vec![true; outputs], params);
    (offsets, trees)
}

/// Continues [`boost`] from the current scores of the rows, those of row n starting at `n * fitted.len()`. Outputs that
/// are not `fitted` get trees that add nothing.
pub(in crate::candidate_classifier) fn boost_from(
    mut scores: Vec<f64>,
    rows: &[Vec<f32>],
    truth: &[usize],
    weights: &[f64],
    fitted: &[bool],
    params: &BoostingParams,
) -> Vec<Vec<Tree>> {
    let table = Table::new(rows);
    let (count, outputs) = (rows.len(), fitted.len());
    let mut trees = Vec::with_capacity(params.rounds);
    for _ in 0..params.rounds {
        let mut probabilities = scores.clone();
        probabilities.chunks_exact_mut(outputs).for_each(softmax);
        let round: Vec<Tree> = (0..outputs)
            .map(|output| {
                if !fitted[output] {
                    return Tree { leaves: vec![0.0], ..Tree::default() };
                }
                let gradients = (0..count).map(|row| {
                    let probability = probabilities[row * outputs + output];
                    let error = probability - f64::from(u8::from(truth[row] == output));
                    GradientPair {
                        first: weights[row] * error,
                        second: weights[row] * probability * (1.0 - probability),
                    }
                });
                let gradients: Vec<GradientPair> = gradients.collect();
                table.grow(&gradients, params, |row, value| scores[row * outputs + output] += value)
            })
            .collect();
        trees.push(round);
    }
    trees
}
