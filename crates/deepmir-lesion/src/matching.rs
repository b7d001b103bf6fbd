//! One-to-one matching of predicted and true lesions.
//!
//! A lesion predicted in two pieces is one match and one false positive; a piece that spans two
//! true lesions matches one of them. Of all one-to-one pairings the one with the most pairs is
//! chosen, and among those the one with the largest sum of overlaps (or the closest centres). So
//! the counts depend neither on the order of the lesions nor on which list is the truth.
//!
//! ```
//! use deepmir_lesion::matching::{MatchRule, match_lesions};
//! use deepmir_lesion::{Lesion, LesionClass};
//! use deepmir_volume::{Affine, Grid};
//!
//! let grid = Grid::new([20, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
//! let lesion = |voxels: std::ops::Range<usize>| {
//!     Lesion::new(LesionClass::Cmb, voxels.collect(), &grid)
//! };
//! let (truth, pieces) = (lesion(5..15), [lesion(4..7), lesion(9..14)]);
//! let pairs = match_lesions(&[&truth], &[&pieces[0], &pieces[1]], MatchRule::Overlap);
//! assert_eq!(pairs.len(), 1);
//! assert_eq!(pairs[0].predicted, 1, "the larger overlap");
//! ```

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Lesion;
use crate::assignment::heaviest_pairs;

/// When a predicted and a true lesion may match.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum MatchRule {
    /// They share at least one voxel.
    Overlap,
    /// Their centres of mass are at most this far apart, in millimetres (5 in the VALDO challenge).
    Centre(f64),
    /// Their intersection over union is at least this.
    Iou(f64),
}

impl FromStr for MatchRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || format!("{text:?} is no matching rule; give overlap, centre:MM or iou:T");
        let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
        match text.split_once(':') {
            None if text == "overlap" => Ok(Self::Overlap),
            Some(("centre", mm)) => {
                number(mm).filter(|&mm| mm > 0.0).map(Self::Centre).ok_or_else(usage)
            }
            Some(("iou", least)) => number(least)
                .filter(|&least| least > 0.0 && least <= 1.0)
                .map(Self::Iou)
                .ok_or_else(usage),
            _ => Err(usage()),
        }
    }
}

impl std::fmt::Display for MatchRule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Overlap => write!(formatter, "overlap"),
            Self::Centre(mm) => write!(formatter, "centre:{mm}"),
            Self::Iou(least) => write!(formatter, "iou:{least}"),
        }
    }
}

/// A pair: positions in the lists of true and predicted lesions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Position among the true lesions.
    pub truth: usize,
    /// Position among the predicted lesions.
    pub predicted: usize,
}

/// Pairs lesions one to one, whatever their classes (filter the lists first to keep classes
/// apart). Both lists' voxels must be of one grid. Sorted by true lesion.
pub fn match_lesions(truth: &[&Lesion], predicted: &[&Lesion], rule: MatchRule) -> Vec<Pair> {
    let edges = match rule {
        MatchRule::Overlap => overlaps(truth, predicted),
        MatchRule::Iou(least) => overlaps(truth, predicted)
            .into_iter()
            .filter_map(|edge| {
                let sizes = truth[edge.truth].voxels.len() + predicted[edge.predicted].voxels.len();
                let iou = edge.weight as f64 / (sizes as f64 - edge.weight as f64);
                (iou >= least).then_some(Edge { weight: (iou * 1e6) as i64, ..edge })
            })
            .collect(),
        MatchRule::Centre(most_mm) => near(truth, predicted, most_mm),
    };
    assign(&edges)
}

/// A pair that a rule allows; larger weights are better.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// Position among the true lesions.
    pub truth: usize,
    /// Position among the predicted lesions.
    pub predicted: usize,
    /// Voxels shared, or closeness.
    pub weight: i64,
}

/// Every pair that shares voxels, weighted by their number.
pub fn overlaps(truth: &[&Lesion], predicted: &[&Lesion]) -> Vec<Edge> {
    let mut owner = HashMap::new();
    for (number, lesion) in truth.iter().enumerate() {
        owner.extend(lesion.voxels.iter().map(|&voxel| (voxel, number)));
    }
    let mut edges = Vec::new();
    for (number, lesion) in predicted.iter().enumerate() {
        let mut shared: BTreeMap<usize, i64> = BTreeMap::new();
        for truth in lesion.voxels.iter().filter_map(|voxel| owner.get(voxel)) {
            *shared.entry(*truth).or_default() += 1;
        }
        let found = shared.into_iter();
        edges.extend(found.map(|(truth, weight)| Edge { truth, predicted: number, weight }));
    }
    edges
}

/// Every pair with close centres, weighted by closeness in micrometres.
fn near(truth: &[&Lesion], predicted: &[&Lesion], most_mm: f64) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (t, truth) in truth.iter().enumerate() {
        for (p, predicted) in predicted.iter().enumerate() {
            let squares =
                (0..3).map(|axis| (truth.centre_mm[axis] - predicted.centre_mm[axis]).powi(2));
            let apart = squares.sum::<f64>().sqrt();
            if apart <= most_mm {
                let weight = ((most_mm - apart) * 1e3) as i64 + 1;
                edges.push(Edge { truth: t, predicted: p, weight });
            }
        }
    }
    edges
}

/// The one-to-one pairing with the most pairs and, among those, the largest weight, solved for
/// each group of lesions connected by edges (a handful each).
pub fn assign(edges: &[Edge]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for group in groups(edges) {
        let (mut truths, mut predictions): (Vec<usize>, Vec<usize>) =
            group.iter().map(|edge| (edge.truth, edge.predicted)).unzip();
        for side in [&mut truths, &mut predictions] {
            side.sort_unstable();
            side.dedup();
        }
        // One more pair outweighs every sum of overlaps.
        let one_more = 1 + group.iter().map(|edge| edge.weight).sum::<i64>();
        let mut weights = vec![vec![0_i64; predictions.len()]; truths.len()];
        for edge in &group {
            let places =
                (truths.binary_search(&edge.truth), predictions.binary_search(&edge.predicted));
            if let (Ok(row), Ok(column)) = places {
                weights[row][column] = one_more + edge.weight;
            }
        }
        for (row, column) in heaviest_pairs(&weights) {
            if weights[row][column] > 0 {
                pairs.push(Pair { truth: truths[row], predicted: predictions[column] });
            }
        }
    }
    pairs.sort_unstable();
    pairs
}

/// Edges by connected group.
fn groups(edges: &[Edge]) -> Vec<Vec<Edge>> {
    let mut groups: Vec<Vec<Edge>> = Vec::new();
    for &edge in edges {
        let touches = |other: &Edge| other.truth == edge.truth || other.predicted == edge.predicted;
        let (touching, mut rest): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.iter().any(touches));
        let mut joined: Vec<Edge> = touching.into_iter().flatten().collect();
        joined.push(edge);
        rest.push(joined);
        groups = rest;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LesionClass;
    use deepmir_volume::{Affine, Grid};
    use proptest::prelude::*;

    fn lesion(voxels: impl IntoIterator<Item = usize>) -> Lesion {
        let grid = Grid::new([100, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        Lesion::new(LesionClass::Cmb, voxels.into_iter().collect(), &grid)
    }

    fn pairs(truth: &[Lesion], predicted: &[Lesion], rule: MatchRule) -> Vec<(usize, usize)> {
        let (truth, predicted): (Vec<_>, Vec<_>) =
            (truth.iter().collect(), predicted.iter().collect());
        let pairs = match_lesions(&truth, &predicted, rule);
        pairs.into_iter().map(|pair| (pair.truth, pair.predicted)).collect()
    }

    #[test]
    fn a_lesion_in_two_pieces_goes_to_the_larger() {
        let truth = [lesion(10..20)];
        let predicted = [lesion(9..12), lesion(14..19)];
        assert_eq!(pairs(&truth, &predicted, MatchRule::Overlap), [(0, 1)]);
    }

    #[test]
    fn most_pairs_come_before_most_overlap() {
        let truth = [lesion(10..20), lesion(21..30)];
        // The first piece overlaps the second lesion most, but only it can find the first.
        let predicted = [lesion(18..28), lesion(29..32)];
        assert_eq!(pairs(&truth, &predicted, MatchRule::Overlap), [(0, 0), (1, 1)]);
    }

    #[test]
    fn centres_and_iou_have_their_limits() {
        let truth = [lesion(10..20)];
        let near = [lesion(22..23)];
        assert_eq!(pairs(&truth, &near, MatchRule::Overlap), []);
        assert_eq!(pairs(&truth, &near, MatchRule::Centre(7.6)), [(0, 0)]);
        assert_eq!(pairs(&truth, &near, MatchRule::Centre(7.4)), []);
        let half = [lesion(15..25)];
        assert_eq!(pairs(&truth, &half, MatchRule::Iou(0.33)), [(0, 0)]);
        assert_eq!(pairs(&truth, &half, MatchRule::Iou(0.34)), []);
    }

    #[test]
    fn rules_are_read_as_they_are_written() {
        for text in ["overlap", "centre:5", "iou:0.2"] {
            assert_eq!(text.parse::<MatchRule>().unwrap().to_string(), text);
        }
        for text in ["", "centre", "centre:-1", "iou:0", "iou:1.5", "dice:0.5", "centre:nan"] {
            assert!(text.parse::<MatchRule>().unwrap_err().contains("overlap"), "{text}");
        }
    }

    /// Up to eight disjoint pieces of a row of voxels.
    fn pieces() -> impl Strategy<Value = Vec<Lesion>> {
        prop::collection::vec((1_usize..8, 1_usize..6), 0..8).prop_map(|gaps| {
            let mut at = 0;
            let piece = gaps.into_iter().map(|(gap, length)| {
                let start = at + gap;
                at = start + length;
                lesion(start..at)
            });
            piece.collect()
        })
    }

    proptest! {
        #[test]
        fn pairs_are_one_to_one_allowed_and_as_many_either_way(
            truth in pieces(), predicted in pieces(), which in 0..3_usize,
        ) {
            let rule = [MatchRule::Overlap, MatchRule::Centre(3.0), MatchRule::Iou(0.3)][which];
            let found = pairs(&truth, &predicted, rule);
            let mut sides: (Vec<usize>, Vec<usize>) = found.iter().copied().unzip();
            sides.1.sort_unstable();
            sides.0.dedup();
            sides.1.dedup();
            prop_assert_eq!(sides.0.len(), found.len());
            prop_assert_eq!(sides.1.len(), found.len());
            for &(t, p) in &found {
                prop_assert_eq!(pairs(&truth[t..=t], &predicted[p..=p], rule), [(0, 0)]);
            }
            let back = pairs(&predicted, &truth, rule);
            prop_assert_eq!(back.len(), found.len());
            // No pair can be added.
            for t in (0..truth.len()).filter(|t| !sides.0.contains(t)) {
                for p in (0..predicted.len()).filter(|p| !sides.1.contains(p)) {
                    prop_assert_eq!(pairs(&truth[t..=t], &predicted[p..=p], rule), []);
                }
            }
        }
    }
}
