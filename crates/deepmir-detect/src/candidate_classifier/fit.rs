//! Fitting a candidate classifier.

use std::collections::BTreeSet;

use super::trees::{BoostingParams, boost};
use super::{CandidateClassifier, Feature, Features};
use deepmir_lesion::LesionClass;

/// A labelled candidate.
#[derive(Clone, Copy, Debug)]
pub struct Example<'a> {
    /// Its features.
    pub features: &'a Features,
    /// Its true class; `None` if it is no lesion.
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

/// Fits a candidate classifier: gradient boosted trees on every feature that some example has. `None` unless every class
/// and "no lesion" have examples.
///
/// ```
/// use deepmir_detect::candidate_classifier::{Example, Feature, Features, fit};
/// use deepmir_lesion::LesionClass;
///
/// // Large candidates are lesions.
/// let features: Vec<Features> = (0..80)
///     .map(|n| Features::from_values(vec![(Feature::Volume, f64::from(n))]))
///     .collect();
/// let examples: Vec<Example<'_>> = (0..80)
///     .map(|n| {
///         let truth = (n >= 40).then_some(LesionClass::Cmb);
///         Example { features: &features[n], truth, weight: 1.0 }
///     })
///     .collect();
/// let classifier = fit(&examples, &[LesionClass::Cmb]).unwrap();
/// let [_no_lesion, cmb] = classifier.probabilities(&features[70])[..] else { unreachable!() };
/// assert!(cmb > 0.9);
/// ```
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

/// The features that at least one of them has, in order.
pub(super) fn features_of<'a>(measured: impl Iterator<Item = &'a Features>) -> Vec<Feature> {
    let names = measured.flat_map(|features| features.iter().map(|(name, _)| name));
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The classifier's output for a true class: 0 for no lesion, 1 for the first class and so on; `None` for a class that is
/// not predicted.
pub(super) fn output_of(truth: Option<LesionClass>, classes: &[LesionClass]) -> Option<usize> {
    match truth {
        None => Some(0),
        Some(truth) => classes.iter().position(|&class| class == truth).map(|n| n + 1),
    }
}
