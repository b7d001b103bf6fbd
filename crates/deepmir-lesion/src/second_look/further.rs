//! A second look that goes on learning, from subjects of another kind than those it learned from.

use rayon::prelude::*;

use super::fit::{features_of, kind_of};
use super::trees::{Growth, Tree, boost_from};
use super::{Example, SecondLook, softmax};

/// Smaller trees than those of a first fit: they only mend.
const GROWTH: Growth = Growth { rounds: 300, rate: 0.03, leaves: 4, least_rows: 15, ridge: 5.0 };
/// Parts that subjects are dealt to when second looks are tried, each part judged by what the others taught.
pub(crate) const PARTS: usize = 12;

/// A look that went on learning.
#[derive(Clone, Debug, PartialEq)]
pub struct Further {
    /// The look, from all subjects.
    pub look: SecondLook,
    /// Rounds of trees added: none where they would not have helped on subjects left out by more than chance.
    pub rounds: usize,
    /// Log-loss of a subject left out, mean over subjects: by the look as it was.
    pub loss_before: f64,
    /// And by one that went on learning from the others.
    pub loss_after: f64,
    parts: Vec<SecondLook>,
}

impl Further {
    /// The look that did not learn from the subject of this number.
    pub fn without(&self, subject: usize) -> &SecondLook {
        &self.parts[subject % self.parts.len()]
    }
}

/// Goes on boosting a look's trees on the candidates of some subjects: new trees fit what is wrong with its scores. How
/// many rounds of them is chosen by cross-validation over subjects, the fewest within a standard error of the best
/// (Breiman et al., Classification and Regression Trees, 1984). A class that nothing in the subjects is, is left
/// alone, as are candidates that the look takes for one: it may be that nobody labelled them. `None` with fewer than two
/// subjects, or where there is nothing or no lesion to learn from.
pub fn learn_further(look: &SecondLook, subjects: &[Vec<Example<'_>>]) -> Option<Further> {
    if subjects.len() < 2 {
        return None;
    }
    let is_there = |kind| {
        subjects.iter().flatten().any(|example| kind_of(example.truth, &look.classes) == Some(kind))
    };
    let kinds: Vec<bool> = (0..=look.classes.len()).map(is_there).collect();
    if !kinds[0] || !kinds[1..].contains(&true) {
        return None;
    }
    let mut wider = look.clone();
    let measured = features_of(subjects.iter().flatten().map(|example| example.features));
    wider.features.extend(measured.iter().filter(|feature| !look.features.contains(feature)));
    let subjects: Vec<Vec<Row>> =
        subjects.iter().map(|examples| rows(&wider, examples, &kinds)).collect();

    let count = subjects.len().min(PARTS);
    let parts: Vec<Vec<Vec<Tree>>> = (0..count)
        .into_par_iter()
        .map(|part| {
            let others = subjects.iter().enumerate().filter(|(place, _)| place % count != part);
            let others: Vec<&Row> = others.flat_map(|(_, rows)| rows).collect();
            grow(&others, &kinds, GROWTH.rounds)
        })
        .collect();
    let losses: Vec<Vec<f64>> =
        subjects.iter().enumerate().map(|(n, rows)| losses(rows, &parts[n % count])).collect();
    let rounds = fewest_as_good(&losses);
    let mean = |rounds: usize| {
        losses.iter().map(|losses| losses[rounds]).sum::<f64>() / losses.len() as f64
    };
    let with = |trees: &[Vec<Tree>]| {
        let mut look = wider.clone();
        look.rounds.extend_from_slice(&trees[..rounds]);
        look
    };
    let everyone: Vec<&Row> = subjects.iter().flatten().collect();
    Some(Further {
        look: if rounds == 0 { look.clone() } else { with(&grow(&everyone, &kinds, rounds)) },
        rounds,
        loss_before: mean(0),
        loss_after: mean(rounds),
        parts: parts.iter().map(|trees| with(trees)).collect(),
    })
}

/// An example as trees see it.
struct Row {
    values: Vec<f32>,
    kind: usize,
    weight: f64,
    /// By the look as it was.
    scores: Vec<f64>,
}

fn rows(look: &SecondLook, examples: &[Example<'_>], kinds: &[bool]) -> Vec<Row> {
    let row = |example: &Example<'_>| {
        let scores = look.scores(example.features);
        let likeliest = (0..kinds.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]))?;
        let kind = kind_of(example.truth, &look.classes)?;
        let values = example.features.row(&look.features);
        kinds[likeliest].then_some(Row { values, kind, weight: example.weight, scores })
    };
    examples.iter().filter_map(row).collect()
}

fn grow(rows: &[&Row], kinds: &[bool], rounds: usize) -> Vec<Vec<Tree>> {
    let values: Vec<Vec<f32>> = rows.iter().map(|row| row.values.clone()).collect();
    let truth: Vec<usize> = rows.iter().map(|row| row.kind).collect();
    let weights: Vec<f64> = rows.iter().map(|row| row.weight).collect();
    let scores = rows.iter().flat_map(|row| row.scores.iter().copied()).collect();
    let growth = Growth { rounds, ..GROWTH };
    boost_from(scores, &values, &truth, &weights, kinds, &growth)
}

/// A subject's log-loss after each number of rounds, from none.
fn losses(rows: &[Row], rounds: &[Vec<Tree>]) -> Vec<f64> {
    let mut scores: Vec<Vec<f64>> = rows.iter().map(|row| row.scores.clone()).collect();
    let loss = |scores: &[Vec<f64>]| {
        let of_row = |(row, scores): (&Row, &Vec<f64>)| {
            let mut probabilities = scores.clone();
            softmax(&mut probabilities);
            -row.weight * probabilities[row.kind].max(f64::MIN_POSITIVE).ln()
        };
        rows.iter().zip(scores).map(of_row).sum::<f64>()
    };
    let mut losses = vec![loss(&scores)];
    for trees in rounds {
        for (row, scores) in rows.iter().zip(&mut scores) {
            for (score, tree) in scores.iter_mut().zip(trees) {
                *score += tree.value(&row.values);
            }
        }
        losses.push(loss(&scores));
    }
    losses
}

/// The fewest rounds whose losses are within a standard error of those of the best.
fn fewest_as_good(losses: &[Vec<f64>]) -> usize {
    let count = losses.len() as f64;
    let sum = |rounds: usize| losses.iter().map(|losses| losses[rounds]).sum::<f64>();
    let all = losses.first().map_or(0, Vec::len);
    let best = (0..all).min_by(|&a, &b| sum(a).total_cmp(&sum(b))).unwrap_or(0);
    let as_good = |&rounds: &usize| {
        let worse: Vec<f64> = losses.iter().map(|losses| losses[rounds] - losses[best]).collect();
        let mean = worse.iter().sum::<f64>() / count;
        let squares: f64 = worse.iter().map(|worse| (worse - mean).powi(2)).sum();
        mean <= (squares / (count - 1.0) / count).sqrt()
    };
    (0..best).find(as_good).unwrap_or(best)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde::Deserialize;

    use super::*;
    use crate::LesionClass;
    use crate::second_look::{Feature, Features, fit};

    #[derive(Deserialize)]
    struct Fixture {
        values: Vec<[Option<f64>; 3]>,
        kinds: Vec<usize>,
        other_kinds: Vec<usize>,
        weights: Vec<f64>,
        other_probabilities: Vec<[f64; 3]>,
    }

    const TRUTHS: [Option<LesionClass>; 3] =
        [None, Some(LesionClass::Cmb), Some(LesionClass::Nhid)];

    #[test]
    fn fifty_rounds_more_are_those_of_a_warm_start_in_scikit_learn() {
        let path =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/second_look.json");
        let fixture: Fixture = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let names = [Feature::Volume, Feature::T2wSpread, Feature::Depth];
        let measured = |values: &[Option<f64>; 3]| {
            let values = names.into_iter().zip(*values);
            Features::from_values(values.filter_map(|(name, at)| Some((name, at?))).collect())
        };
        let features: Vec<Features> = fixture.values.iter().map(measured).collect();
        let examples = |kinds: &[usize]| -> Vec<Example<'_>> {
            let each = features.iter().zip(kinds).zip(&fixture.weights);
            each.map(|((features, &kind), &weight)| Example {
                features,
                truth: TRUTHS[kind],
                weight,
            })
            .collect()
        };
        let mut look = fit(&examples(&fixture.kinds), &LesionClass::ALL).unwrap();
        let others = rows(&look, &examples(&fixture.other_kinds), &[true; 3]);
        assert_eq!(others.len(), features.len());
        look.rounds.extend(grow(&others.iter().collect::<Vec<_>>(), &[true; 3], 50));
        for (features, expected) in features.iter().zip(&fixture.other_probabilities) {
            for (found, expected) in look.probabilities(features).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4, "{found} for {expected}");
            }
        }
    }

    /// Candidates of many sizes, and what each is.
    fn sizes(truth: impl Fn(f64) -> Option<LesionClass>) -> Vec<(Features, Option<LesionClass>)> {
        let of = |n: u32| {
            let size = f64::from(n) / 4.0;
            (Features::from_values(vec![(Feature::Volume, size)]), truth(size))
        };
        (0..120).map(of).collect()
    }

    fn as_examples(sizes: &[(Features, Option<LesionClass>)]) -> Vec<Example<'_>> {
        sizes
            .iter()
            .map(|(features, truth)| Example { features, truth: *truth, weight: 1.0 })
            .collect()
    }

    #[test]
    fn what_nobody_labelled_is_not_unlearned() {
        let (cmb, nhid) = (Some(LesionClass::Cmb), Some(LesionClass::Nhid));
        let before = sizes(|size| {
            if size < 10.0 {
                None
            } else if size < 20.0 {
                cmb
            } else {
                nhid
            }
        });
        let look = fit(&as_examples(&before), &LesionClass::ALL).unwrap();
        // There bleeds are larger, and only they were labelled.
        let there = sizes(|size| (15.0..20.0).contains(&size).then_some(LesionClass::Cmb));
        let subjects = vec![as_examples(&there); 6];
        let further = learn_further(&look, &subjects).unwrap();
        assert!(further.rounds > 0 && further.loss_after < 0.5 * further.loss_before);
        let likeliest = |look: &SecondLook, size: f64| {
            let found = look.probabilities(&Features::from_values(vec![(Feature::Volume, size)]));
            TRUTHS[(0..3).max_by(|&a, &b| found[a].total_cmp(&found[b])).unwrap()]
        };
        let told = |look: &SecondLook| [5.0, 12.0, 17.0, 25.0].map(|size| likeliest(look, size));
        assert_eq!(told(&look), [None, cmb, cmb, nhid]);
        assert_eq!(told(&further.look), [None, None, cmb, nhid]);
        assert_eq!(told(further.without(3)), [None, None, cmb, nhid]);
        assert_eq!(further.look.fault(), None);
    }

    #[test]
    fn one_subject_or_none_with_a_lesion_is_too_little() {
        let sizes_of = |least: f64| sizes(|size| (size > least).then_some(LesionClass::Cmb));
        let look = fit(&as_examples(&sizes_of(10.0)), &[LesionClass::Cmb]).unwrap();
        let (there, nothing) = (sizes_of(15.0), sizes(|_| None));
        let learn = |subjects: &[&[(Features, Option<LesionClass>)]]| {
            let examples: Vec<_> = subjects.iter().map(|subject| as_examples(subject)).collect();
            learn_further(&look, &examples).is_some()
        };
        assert!(learn(&[&there, &nothing]) && learn(&[&there, &[]]));
        assert!(!learn(&[&there]) && !learn(&[&nothing, &nothing]) && !learn(&[]));
        assert!(!learn(&[&[], &there[119..]]), "nothing but lesions");
    }

    #[test]
    fn the_fewest_rounds_as_good_as_the_best_are_taken() {
        // The second subject's loss falls and rises again; by a third of what they differ in is chance.
        let losses = [vec![4.0, 3.0, 2.9, 3.5], vec![4.0, 3.0, 3.05, 3.5]];
        assert_eq!(fewest_as_good(&losses), 1);
        let losses = [vec![4.0, 3.0, 2.5], vec![4.0, 3.0, 2.5], vec![4.1, 3.0, 2.5]];
        assert_eq!(fewest_as_good(&losses), 2);
        let losses = [vec![4.0, 1.0], vec![4.0, 6.9]];
        assert_eq!(fewest_as_good(&losses), 0);
    }
}
