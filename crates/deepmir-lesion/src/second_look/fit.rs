//! Learning a second look.

use nalgebra::{DMatrix, DVector};

use super::{Feature, Features, SecondLook, WeighedFeature, unusual};
use crate::LesionClass;

/// What a candidate was: `None` is nothing.
#[derive(Clone, Copy, Debug)]
pub struct Example<'a> {
    /// What was measured.
    pub features: &'a Features,
    /// What it was.
    pub truth: Option<LesionClass>,
}

/// How strongly weights are held at zero: half this times their squares is added to the negative
/// logarithm of the likelihood. Weights are per deviation of a feature.
const RIDGE: f64 = 10.0;
const STEPS: usize = 50;
const SETTLED: f64 = 1e-9;

/// Fits a second look by penalised maximum likelihood (Newton's method). Every feature that some
/// example has and that is not the same in all takes part; where one lacks it, the mean stands in.
/// `None` unless there are examples of nothing and of every class.
pub fn fit(examples: &[Example<'_>], classes: &[LesionClass]) -> Option<SecondLook> {
    let kind = |example: &Example<'_>| match example.truth {
        None => Some(0),
        Some(truth) => classes.iter().position(|&class| class == truth).map(|n| n + 1),
    };
    let rows: Vec<(&Features, usize)> =
        examples.iter().filter_map(|example| Some((example.features, kind(example)?))).collect();
    let kinds = classes.len() + 1;
    if !(0..kinds).all(|kind| rows.iter().any(|(_, other)| *other == kind)) {
        return None;
    }
    let columns = columns(&rows);
    // Every feature's value, then how unusual each is; the last column is one: the offset.
    let width = 2 * columns.len() + 1;
    let design = DMatrix::from_fn(rows.len(), width, |row, column| {
        if column == width - 1 {
            return 1.0;
        }
        let (feature, mean, deviation) = columns[column % columns.len()];
        let Some(value) = rows[row].0.get(feature) else { return 0.0 };
        let deviations = (value - mean) / deviation;
        if column < columns.len() { deviations } else { unusual(deviations) }
    });
    let truth: Vec<usize> = rows.iter().map(|(_, kind)| *kind).collect();
    let weights = newton(&design, &truth, kinds);
    let of = |column: usize| (0..kinds).map(|kind| weights[kind * width + column]).collect();
    let features = columns
        .iter()
        .enumerate()
        .map(|(n, &(name, mean, deviation))| WeighedFeature {
            name,
            mean,
            deviation,
            weights: of(n),
            unusual: of(columns.len() + n),
        })
        .collect();
    Some(SecondLook { classes: classes.to_vec(), offsets: of(width - 1), features })
}

/// Features with their means and deviations.
fn columns(rows: &[(&Features, usize)]) -> Vec<(Feature, f64, f64)> {
    let mut names: Vec<Feature> =
        rows.iter().flat_map(|(features, _)| features.iter().map(|(name, _)| name)).collect();
    names.sort_unstable();
    names.dedup();
    let statistics = |name: Feature| {
        let values: Vec<f64> = rows.iter().filter_map(|(features, _)| features.get(name)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let deviation = (squares / values.len() as f64).sqrt();
        (deviation > 1e-9).then_some((name, mean, deviation))
    };
    names.into_iter().filter_map(statistics).collect()
}

/// Weights of kind after kind.
fn newton(design: &DMatrix<f64>, truth: &[usize], kinds: usize) -> DVector<f64> {
    let width = design.ncols();
    let size = kinds * width;
    let mut weights = DVector::zeros(size);
    // Offsets are free but for their common part, which changes nothing.
    let ridge = DVector::from_fn(size, |n, _| if n % width == width - 1 { 1e-6 } else { RIDGE });
    let cost = |weights: &DVector<f64>| {
        let of = |(row, &kind): (usize, &usize)| {
            probabilities(design, weights, row, kinds)[kind].max(1e-300).ln()
        };
        let likelihood: f64 = truth.iter().enumerate().map(of).sum();
        0.5 * weights.component_mul(weights).dot(&ridge) - likelihood
    };
    let mut now = cost(&weights);
    for _ in 0..STEPS {
        let mut gradient = ridge.component_mul(&weights);
        let mut hessian = DMatrix::from_diagonal(&ridge);
        for (row, &kind) in truth.iter().enumerate() {
            let x = design.row(row).transpose();
            let probabilities = probabilities(design, &weights, row, kinds);
            let outer = &x * x.transpose();
            for a in 0..kinds {
                let missed = probabilities[a] - f64::from(kind == a);
                let mut part = gradient.rows_mut(a * width, width);
                part.axpy(missed, &x, 1.0);
                for b in 0..kinds {
                    let share = probabilities[a] * (f64::from(a == b) - probabilities[b]);
                    let mut block = hessian.view_mut((a * width, b * width), (width, width));
                    block += share * &outer;
                }
            }
        }
        let Some(cholesky) = hessian.cholesky() else { break };
        let step = cholesky.solve(&gradient);
        // Halved until it goes downhill.
        let mut length = 1.0;
        let before = now;
        while length > 1e-6 {
            let next = &weights - length * &step;
            let then = cost(&next);
            if then <= before {
                (weights, now) = (next, then);
                break;
            }
            length *= 0.5;
        }
        if before - now < SETTLED * (1.0 + now.abs()) {
            break;
        }
    }
    weights
}

fn probabilities(
    design: &DMatrix<f64>,
    weights: &DVector<f64>,
    row: usize,
    kinds: usize,
) -> Vec<f64> {
    let width = design.ncols();
    let mut scores: Vec<f64> = (0..kinds)
        .map(|kind| (0..width).map(|n| design[(row, n)] * weights[kind * width + n]).sum())
        .collect();
    softmax(&mut scores);
    scores
}

/// In place.
pub(super) fn softmax(scores: &mut [f64]) {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores.iter_mut().for_each(|score| *score = (*score - highest).exp());
    let sum: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
}
