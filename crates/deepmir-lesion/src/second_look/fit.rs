//! Learning a second look.

use std::collections::BTreeSet;

use super::trees::{Growth, boost};
use super::{Feature, Features, SecondLook};
use crate::LesionClass;

/// What a candidate was: `None` is nothing.
#[derive(Clone, Copy, Debug)]
pub struct Example<'a> {
    /// What was measured.
    pub features: &'a Features,
    /// What it was.
    pub truth: Option<LesionClass>,
    /// How much it counts.
    pub weight: f64,
}

const GROWTH: Growth = Growth { rounds: 300, rate: 0.03, leaves: 8, least_rows: 15, ridge: 5.0 };

/// Fits a second look: gradient boosted trees on every feature that some example has. `None` unless there
/// are examples of nothing and of every class.
pub fn fit(examples: &[Example<'_>], classes: &[LesionClass]) -> Option<SecondLook> {
    let rows: Vec<(&Features, usize, f64)> = examples
        .iter()
        .filter_map(|example| {
            let kind = kind_of(example.truth, classes)?;
            Some((example.features, kind, example.weight))
        })
        .collect();
    let kinds = classes.len() + 1;
    if !(0..kinds).all(|kind| rows.iter().any(|(_, other, _)| *other == kind)) {
        return None;
    }
    let features = features_of(rows.iter().map(|(features, ..)| *features));
    let truth: Vec<usize> = rows.iter().map(|(_, kind, _)| *kind).collect();
    let weights: Vec<f64> = rows.iter().map(|(.., weight)| *weight).collect();
    let rows: Vec<Vec<f32>> = rows.iter().map(|(values, ..)| values.row(&features)).collect();
    let (offsets, rounds) = boost(&rows, &truth, &weights, kinds, &GROWTH);
    Some(SecondLook { classes: classes.to_vec(), features, offsets, rounds })
}

/// What was measured on any of them, in order.
pub(super) fn features_of<'a>(measured: impl Iterator<Item = &'a Features>) -> Vec<Feature> {
    let names = measured.flat_map(|features| features.iter().map(|(name, _)| name));
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// 0 for nothing, 1 for a lesion of the first class, and so on; `None` for one of no class that is told.
pub(super) fn kind_of(truth: Option<LesionClass>, classes: &[LesionClass]) -> Option<usize> {
    match truth {
        None => Some(0),
        Some(truth) => classes.iter().position(|&class| class == truth).map(|n| n + 1),
    }
}
