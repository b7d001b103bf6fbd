//! Warm start: a fitted candidate classifier is fine-tuned on other subjects by further rounds of boosting.

use rayon::prelude::*;

use super::fit::{features_of, fit, output_of};
use super::trees::{BoostingParams, Tree, boost_from};
use super::{CandidateClassifier, Example, softmax};
use deepmir_lesion::LesionClass;

/// Smaller trees than those of a first fit: they only correct.
const PARAMS: BoostingParams = BoostingParams {
    rounds: 300,
    learning_rate: 0.03,
    max_leaves: 4,
    min_samples_leaf: 15,
    l2: 5.0,
};
/// Most folds of a cross-validation over subjects.
pub(crate) const FOLDS: usize = 12;

/// A classifier after a warm start.
#[derive(Clone, Debug, PartialEq)]
pub struct WarmStart {
    /// The classifier, fine-tuned on all subjects.
    pub classifier: CandidateClassifier,
    /// Rounds of boosting added; 0 if they improve held-out subjects by no more than chance.
    pub rounds: usize,
    /// Log-loss of a subject by the original classifier, mean over subjects.
    pub loss_before: f64,
    /// The same by classifiers fine-tuned on the other subjects.
    pub loss_after: f64,
    folds: Vec<CandidateClassifier>,
}

impl WarmStart {
    /// The classifier that was not fine-tuned on the subject at this position.
    pub fn out_of_fold(&self, subject: usize) -> &CandidateClassifier {
        &self.folds[subject % self.folds.len()]
    }
}

/// Continues boosting a classifier's trees on the candidates of some subjects: new trees fit the errors of its scores.
/// The number of rounds is chosen by cross-validation over subjects: the fewest within a standard error of the best
/// (Breiman et al., Classification and Regression Trees, 1984). Outputs of a class without examples do not change, and
/// candidates that the classifier assigns to such a class are left out: perhaps nobody labelled them. `None` with fewer
/// than two subjects, or unless there are examples of "no lesion" and of a lesion.
pub fn warm_start(
    classifier: &CandidateClassifier,
    subjects: &[Vec<Example<'_>>],
) -> Option<WarmStart> {
    if subjects.len() < 2 {
        return None;
    }
    let has_examples = |output| {
        let mut examples = subjects.iter().flatten();
        examples.any(|example| output_of(example.truth, &classifier.classes) == Some(output))
    };
    let outputs: Vec<bool> = (0..=classifier.classes.len()).map(has_examples).collect();
    if !outputs[0] || !outputs[1..].contains(&true) {
        return None;
    }
    let mut wider = classifier.clone();
    let measured = features_of(subjects.iter().flatten().map(|example| example.features));
    wider.features.extend(measured.iter().filter(|feature| !classifier.features.contains(feature)));
    let subjects: Vec<Vec<Row>> =
        subjects.iter().map(|examples| rows(&wider, examples, &outputs)).collect();

    let count = subjects.len().min(FOLDS);
    let folds: Vec<Vec<Vec<Tree>>> = (0..count)
        .into_par_iter()
        .map(|fold| {
            let others = subjects.iter().enumerate().filter(|(place, _)| place % count != fold);
            let others: Vec<&Row> = others.flat_map(|(_, rows)| rows).collect();
            grow(&others, &outputs, PARAMS.rounds)
        })
        .collect();
    let losses: Vec<Vec<f64>> =
        subjects.iter().enumerate().map(|(n, rows)| losses(rows, &folds[n % count])).collect();
    let rounds = fewest_rounds(&losses);
    let mean = |rounds: usize| {
        losses.iter().map(|losses| losses[rounds]).sum::<f64>() / losses.len() as f64
    };
    let with = |trees: &[Vec<Tree>]| {
        let mut classifier = wider.clone();
        classifier.rounds.extend_from_slice(&trees[..rounds]);
        classifier
    };
    let all: Vec<&Row> = subjects.iter().flatten().collect();
    Some(WarmStart {
        classifier: if rounds == 0 {
            classifier.clone()
        } else {
            with(&grow(&all, &outputs, rounds))
        },
        rounds,
        loss_before: mean(0),
        loss_after: mean(rounds),
        folds: folds.iter().map(|trees| with(trees)).collect(),
    })
}

/// Fits a first classifier, for a detection that has none ([`fit`]), and one for each fold of a cross-validation over subjects.
/// The loss before is that of the classes' shares alone. `None` with fewer than two subjects, or unless "no lesion" and some
/// class have examples in all folds; classes without are left out.
pub fn first_fit(classes: &[LesionClass], subjects: &[Vec<Example<'_>>]) -> Option<WarmStart> {
    if subjects.len() < 2 {
        return None;
    }
    let count = subjects.len().min(FOLDS);
    let others = |fold: usize| {
        let others = subjects.iter().enumerate().filter(move |(place, _)| place % count != fold);
        others.flat_map(|(_, examples)| examples.iter().copied())
    };
    // A class of one fold alone cannot be tried on it.
    let is_everywhere = |class: &LesionClass| {
        (0..count).all(|fold| others(fold).any(|example| example.truth == Some(*class)))
    };
    let classes: Vec<LesionClass> = classes.iter().copied().filter(is_everywhere).collect();
    if classes.is_empty() {
        return None;
    }
    let all: Vec<Example<'_>> = subjects.iter().flatten().copied().collect();
    let classifier = fit(&all, &classes)?;
    let folds: Option<Vec<CandidateClassifier>> = (0..count)
        .into_par_iter()
        .map(|fold| fit(&others(fold).collect::<Vec<_>>(), &classes))
        .collect();
    let folds = folds?;
    let outputs = vec![true; classes.len() + 1];
    // A subject's loss by the classifier of its fold, with its trees and without.
    let loss = |n: usize, with_trees: bool| {
        let mut classifier = folds[n % count].clone();
        if !with_trees {
            classifier.rounds.clear();
        }
        losses(&rows(&classifier, &subjects[n], &outputs), &[])[0]
    };
    let mean = |with_trees: bool| {
        (0..subjects.len()).map(|n| loss(n, with_trees)).sum::<f64>() / subjects.len() as f64
    };
    let rounds = classifier.rounds.len();
    Some(WarmStart { classifier, rounds, loss_before: mean(false), loss_after: mean(true), folds })
}

/// An example for the trees.
struct Row {
    values: Vec<f32>,
    output: usize,
    weight: f64,
    /// Scores of the original classifier.
    scores: Vec<f64>,
}

fn rows(classifier: &CandidateClassifier, examples: &[Example<'_>], outputs: &[bool]) -> Vec<Row> {
    let row = |example: &Example<'_>| {
        let scores = classifier.scores(example.features);
        let likeliest = (0..outputs.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]))?;
        let output = output_of(example.truth, &classifier.classes)?;
        let values = example.features.row(&classifier.features);
        outputs[likeliest].then_some(Row { values, output, weight: example.weight, scores })
    };
    examples.iter().filter_map(row).collect()
}

fn grow(rows: &[&Row], outputs: &[bool], rounds: usize) -> Vec<Vec<Tree>> {
    let values: Vec<Vec<f32>> = rows.iter().map(|row| row.values.clone()).collect();
    let truth: Vec<usize> = rows.iter().map(|row| row.output).collect();
    let weights: Vec<f64> = rows.iter().map(|row| row.weight).collect();
    let scores = rows.iter().flat_map(|row| row.scores.iter().copied()).collect();
    let params = BoostingParams { rounds, ..PARAMS };
    boost_from(scores, &values, &truth, &weights, outputs, &params)
}

/// A subject's log-loss after each number of rounds, from none.
fn losses(rows: &[Row], rounds: &[Vec<Tree>]) -> Vec<f64> {
    let mut scores: Vec<Vec<f64>> = rows.iter().map(|row| row.scores.clone()).collect();
    let loss = |scores: &[Vec<f64>]| {
        let of_row = |(row, scores): (&Row, &Vec<f64>)| {
            let mut probabilities = scores.clone();
            softmax(&mut probabilities);
            -row.weight * probabilities[row.output].max(f64::MIN_POSITIVE).ln()
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
fn fewest_rounds(losses: &[Vec<f64>]) -> usize {
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
    use crate::candidate_classifier::{Feature, Features, fit};
    use deepmir_lesion::LesionClass;

    #[derive(Deserialize)]
    struct Fixture {
        values: Vec<[Option<f64>; 3]>,
        outputs: Vec<usize>,
        other_outputs: Vec<usize>,
        weights: Vec<f64>,
        other_probabilities: Vec<[f64; 3]>,
    }

    const TRUTHS: [Option<LesionClass>; 3] =
        [None, Some(LesionClass::Cmb), Some(LesionClass::Nhid)];

    #[test]
    fn fifty_further_rounds_equal_a_warm_start_in_scikit_learn() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/candidate_classifier.json");
        let fixture: Fixture = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let names = [Feature::Volume, Feature::T2wSpread, Feature::Depth];
        let measured = |values: &[Option<f64>; 3]| {
            let values = names.into_iter().zip(*values);
            Features::from_values(values.filter_map(|(name, at)| Some((name, at?))).collect())
        };
        let features: Vec<Features> = fixture.values.iter().map(measured).collect();
        let examples = |outputs: &[usize]| -> Vec<Example<'_>> {
            let each = features.iter().zip(outputs).zip(&fixture.weights);
            each.map(|((features, &output), &weight)| Example {
                features,
                truth: TRUTHS[output],
                weight,
            })
            .collect()
        };
        let mut classifier = fit(&examples(&fixture.outputs), &LesionClass::ALL).unwrap();
        let others = rows(&classifier, &examples(&fixture.other_outputs), &[true; 3]);
        assert_eq!(others.len(), features.len());
        classifier.rounds.extend(grow(&others.iter().collect::<Vec<_>>(), &[true; 3], 50));
        for (features, expected) in features.iter().zip(&fixture.other_probabilities) {
            for (found, expected) in classifier.probabilities(features).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4, "{found} for {expected}");
            }
        }
    }

    /// Candidates of many sizes, with their true classes.
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
    fn a_class_that_nobody_labelled_is_not_unlearned() {
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
        let original = fit(&as_examples(&before), &LesionClass::ALL).unwrap();
        // In the new scans microbleeds are larger, and nobody labelled NHID.
        let there = sizes(|size| (15.0..20.0).contains(&size).then_some(LesionClass::Cmb));
        let subjects = vec![as_examples(&there); 6];
        let tuned = warm_start(&original, &subjects).unwrap();
        assert!(tuned.rounds > 0 && tuned.loss_after < 0.5 * tuned.loss_before);
        let likeliest = |classifier: &CandidateClassifier, size: f64| {
            let found =
                classifier.probabilities(&Features::from_values(vec![(Feature::Volume, size)]));
            TRUTHS[(0..3).max_by(|&a, &b| found[a].total_cmp(&found[b])).unwrap()]
        };
        let predicted = |classifier: &CandidateClassifier| {
            [5.0, 12.0, 17.0, 25.0].map(|size| likeliest(classifier, size))
        };
        assert_eq!(predicted(&original), [None, cmb, cmb, nhid]);
        assert_eq!(predicted(&tuned.classifier), [None, None, cmb, nhid]);
        assert_eq!(predicted(tuned.out_of_fold(3)), [None, None, cmb, nhid]);
        tuned.classifier.validate().unwrap();
    }

    #[test]
    fn a_first_classifier_is_fitted_where_there_is_none() {
        let there = sizes(|size| (15.0..20.0).contains(&size).then_some(LesionClass::Cmb));
        let subjects = vec![as_examples(&there); 4];
        let first = first_fit(&LesionClass::ALL, &subjects).unwrap();
        assert_eq!(first.classifier.classes, [LesionClass::Cmb], "nobody labelled the other");
        assert!(first.loss_after < 0.3 * first.loss_before, "{first:?}");
        let of = |classifier: &CandidateClassifier, size: f64| {
            classifier.probabilities(&Features::from_values(vec![(Feature::Volume, size)]))[1]
        };
        for classifier in [&first.classifier, first.out_of_fold(2)] {
            assert!(of(classifier, 17.0) > 0.8 && of(classifier, 5.0) < 0.1);
        }
        assert!(first_fit(&LesionClass::ALL, &subjects[..1]).is_none());
        assert!(first_fit(&LesionClass::ALL, &vec![as_examples(&there[..40]); 3]).is_none());
    }

    #[test]
    fn one_subject_or_none_with_a_lesion_is_too_little() {
        let sizes_of = |least: f64| sizes(|size| (size > least).then_some(LesionClass::Cmb));
        let original = fit(&as_examples(&sizes_of(10.0)), &[LesionClass::Cmb]).unwrap();
        let (there, nothing) = (sizes_of(15.0), sizes(|_| None));
        let learn = |subjects: &[&[(Features, Option<LesionClass>)]]| {
            let examples: Vec<_> = subjects.iter().map(|subject| as_examples(subject)).collect();
            warm_start(&original, &examples).is_some()
        };
        assert!(learn(&[&there, &nothing]) && learn(&[&there, &[]]));
        assert!(!learn(&[&there]) && !learn(&[&nothing, &nothing]) && !learn(&[]));
        assert!(!learn(&[&[], &there[119..]]), "nothing but lesions");
    }

    #[test]
    fn the_fewest_rounds_within_a_standard_error_of_the_best_are_chosen() {
        // The second subject is worse after the second round: the gain of the first is chance.
        let losses = [vec![4.0, 3.0, 2.9, 3.5], vec![4.0, 3.0, 3.05, 3.5]];
        assert_eq!(fewest_rounds(&losses), 1);
        let losses = [vec![4.0, 3.0, 2.5], vec![4.0, 3.0, 2.5], vec![4.1, 3.0, 2.5]];
        assert_eq!(fewest_rounds(&losses), 2);
        let losses = [vec![4.0, 1.0], vec![4.0, 6.9]];
        assert_eq!(fewest_rounds(&losses), 0);
    }
}
