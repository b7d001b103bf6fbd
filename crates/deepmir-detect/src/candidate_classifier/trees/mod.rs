//! Gradient boosted trees: small trees, each fitted to the errors of those before it.
//!
//! Multinomial log-loss with second derivatives, binned values, trees grown best leaf first, as in LightGBM (Ke et al.,
//! "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", 2017) and scikit-learn's
//! `HistGradientBoostingClassifier`, whose probabilities the tests reproduce.

mod boost;
mod grow;

pub(super) use boost::{BoostingParams, boost, boost_from};

use serde::{Deserialize, Serialize};

use crate::DetectError;

/// A decision tree in flat arrays, one entry for each split except in `leaves`. A row starts at the first split and goes
/// `left` if its value is at most `threshold`, else `right`: to another split if the entry is zero or positive, to the
/// leaf `!n` if it is negative.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// The column that each split is on.
    pub column: Vec<usize>,
    /// The value that each split compares with.
    pub threshold: Vec<f32>,
    /// Whether a missing value goes left.
    pub missing_left: Vec<bool>,
    /// Where values up to the threshold go: a split, or `!leaf`.
    pub left: Vec<i32>,
    /// Where larger values go.
    pub right: Vec<i32>,
    /// What each leaf adds to the score; a tree without splits has one leaf.
    pub leaves: Vec<f32>,
}

impl Tree {
    /// What it adds to the score of a row; NaN is a missing value.
    pub fn value(&self, row: &[f32]) -> f64 {
        let mut at = if self.column.is_empty() { !0 } else { 0 };
        while let Ok(split) = usize::try_from(at) {
            let value = row[self.column[split]];
            let left = match value.is_nan() {
                true => self.missing_left[split],
                false => value <= self.threshold[split],
            };
            at = if left { self.left[split] } else { self.right[split] };
        }
        f64::from(self.leaves[!at as usize])
    }

    /// Checks that every row of so many columns reaches a leaf.
    pub(super) fn validate(&self, columns: usize) -> Result<(), DetectError> {
        let invalid = |reason: &str| Err(DetectError::Invalid { reason: reason.to_owned() });
        let splits = self.column.len();
        let lengths =
            [self.threshold.len(), self.missing_left.len(), self.left.len(), self.right.len()];
        if lengths.iter().any(|&length| length != splits) || self.leaves.len() != splits + 1 {
            return invalid("a tree of the candidate classifier is cut off");
        }
        // Every branch leads to a later split, so that it ends.
        let leads = |from: usize, to: i32| match usize::try_from(to) {
            Ok(split) => split > from && split < splits,
            Err(_) => (!to as usize) < self.leaves.len(),
        };
        let sound = (0..splits)
            .all(|n| leads(n, self.left[n]) && leads(n, self.right[n]) && self.column[n] < columns);
        if !sound || !self.leaves.iter().all(|leaf| leaf.is_finite()) {
            return invalid("a tree of the candidate classifier leads nowhere");
        }
        Ok(())
    }
}
