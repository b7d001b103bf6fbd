//! Fitting a candidate classifier.

use std::collections::BTreeSet;

use super::trees::{BoostingParams, boost};
use super::{CandidateClassifier, Feature, Features};
use deepmir_lesion::LesionClass;

/// A candidate to learn from.
#[derive(Clone, Copy, Debug)]
pub struct Example<'a> {
    /// Its features.
    pub features: &'a Features,
    /// Its true class; `None` is nothing.
    pub truth: Option<LesionClass>,
    /// Its weight.
    pub weight: f64,
}

const PARAMS: BoostingParams = BoostingParams {
    rounds: 300,
    learning_rate: 0.03,
    max_leaves: 8,
    min_samples_leaf: 15,
    l2: 5.0,
};

/// Fits a candidate classifier: gradient boosted trees on every feature that some example has. `None` unless there
/// are examples of nothing and of every class.
pub fn fit(examples: &[Example<'_>], classes: &[LesionClass]) -> Option<CandidateClassifier> {
    let rows: Vec<(&Features, usize, f64)> = examples
        .iter()
        .filter_map(|example| {
            let output = output_of(example.truth, classes)?;
            Some((example.features, output, example.weight))
        })
        .collect();
    let outputs = classes.len() + 1;
    if !(0..outputs).all(|output| rows.iter().any(|(_, other, _)| *other == output)) {
        return None;
    }
    let features = features_of(rows.iter().map(|(features, ..)| *features));
    let truth: Vec<usize> = rows.iter().map(|(_, output, _)| *output).collect();
    let weights: Vec<f64> = rows.iter().map(|(.., weight)| *weight).collect();
    let rows: Vec<Vec<f32>> = rows.iter().map(|(values, ..)| values.row(&features)).collect();
    let (offsets, rounds) = boost(&rows, &truth, &weights, outputs, &PARAMS);
    Some(CandidateClassifier { classes: classes.to_vec(), features, offsets, rounds })
}

/// The features that any of them has, in order.
pub(super) fn features_of<'a>(measured: impl Iterator<Item = &'a Features>) -> Vec<Feature> {
    let names = measured.flat_map(|features| features.iter().map(|(name, _)| name));
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// 0 for nothing, 1 for a lesion of the first class, and so on; `None` for one of a class that is not predicted.
pub(super) fn output_of(truth: Option<LesionClass>, classes: &[LesionClass]) -> Option<usize> {
    match truth {
        None => Some(0),
        Some(truth) => classes.iter().position(|&class| class == truth).map(|n| n + 1),
    }
}
