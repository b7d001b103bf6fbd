//! Gradient boosted trees: small trees, each fitted to what those before it leave wrong.
//!
//! Multinomial log-loss with second derivatives, values in bins, trees grown best leaf first, as LightGBM
//! does it (Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", 2017) and scikit-learn's
//! `HistGradientBoostingClassifier` after it, whose numbers the tests compare.

mod boost;
mod grow;

pub(super) use boost::{BoostingParams, boost, boost_from};

use serde::{Deserialize, Serialize};

use crate::DetectError;

/// A decision tree in flat arrays, one entry a split but for `leaves`. A row starts at the first split and goes `left`
/// where its value is at most `threshold`, else `right`: to another split where the entry is zero or positive, to the
/// leaf `!n` where it is negative.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// The column that each split is on.
    pub column: Vec<usize>,
    /// What the value is compared with.
    pub threshold: Vec<f32>,
    /// Whether a missing value goes left.
    pub missing_left: Vec<bool>,
    /// Where values up to the threshold go.
    pub left: Vec<i32>,
    /// Where others go.
    pub right: Vec<i32>,
    /// What leaves add to the score; a tree without splits has one.
    pub leaves: Vec<f32>,
}

impl Tree {
    /// What it adds to the score of a row; NaN is a missing value.
    pub fn value(&self, row: &[f32]) -> f64 {
        let mut at = if self.column.is_empty() { !0 } else { 0 };
        while let Ok(question) = usize::try_from(at) {
            let value = row[self.column[question]];
            let left = match value.is_nan() {
                true => self.missing_left[question],
                false => value <= self.threshold[question],
            };
            at = if left { self.left[question] } else { self.right[question] };
        }
        f64::from(self.leaves[!at as usize])
    }

    /// Checks that rows of so many columns can be followed to a leaf.
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
