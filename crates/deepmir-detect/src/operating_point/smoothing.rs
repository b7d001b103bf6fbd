//! The best detection threshold on a smoothed curve of the F measure.

use std::borrow::Borrow;

use super::counts::{Counts, OfClass};
use crate::ClassThreshold;

/// Thresholds to try run from these log-odds to their negative (0.0000003 to 0.9999997) in steps of [`STEP`]: the best
/// threshold of a single network trained on overlap, without a candidate classifier, can lie above 0.9999.
const MIN_LOG_ODDS: f64 = -15.0;
/// About one hundredth of probability in the middle.
const STEP: f64 = 0.05;
/// Standard deviation, in log-odds, of the Gaussian that the curve of the F measure is smoothed with: 0.1 of probability
/// in the middle.
const SMOOTHING: f64 = 0.4;
/// Differences of the smoothed F up to this, divided by the square root of the number of true lesions, count as chance:
/// 0.01 with a hundred lesions, 0.03 with ten. Theory then chooses better.
const CHANCE: f64 = 0.1;
/// The kind of scores that candidates have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scores {
    /// Peaks of a network's own maps, which begin at the candidate threshold and need not be probabilities.
    Peaks {
        /// Lower thresholds accept everything.
        candidate_threshold: f32,
    },
    /// Out-of-fold probabilities of a candidate classifier.
    Probabilities,
}

impl Scores {
    pub(super) fn of(classified: bool, candidate_threshold: f32) -> Self {
        if classified { Self::Probabilities } else { Self::Peaks { candidate_threshold } }
    }
}

/// The threshold at the maximum of the smoothed F curve, in the middle of a plateau; `None` without true lesions. With
/// probabilities, the one nearest to F / (1 + β²) among those that are as good up to [`CHANCE`].
pub(super) fn best_threshold<'a>(
    subjects: &[impl Borrow<OfClass<'a>>],
    threshold: &ClassThreshold,
    scores: Scores,
    beta: f64,
) -> Option<f32> {
    let lowest = match scores {
        Scores::Peaks { candidate_threshold } => f64::from(candidate_threshold),
        Scores::Probabilities => 0.0,
    };
    let steps = (-2.0 * MIN_LOG_ODDS / STEP).round() as usize;
    let tried = (0..=steps).filter_map(|n| {
        let log_odds = MIN_LOG_ODDS + STEP * n as f64;
        let tried = 1.0 / (1.0 + (-log_odds).exp());
        if tried < lowest {
            return None;
        }
        let there = ClassThreshold { detection_threshold: tried as f32, ..*threshold };
        Some((log_odds, tried, Counts::of(subjects, &there).f_measure(beta)?))
    });
    let tried: Vec<(f64, f64, f64)> = tried.collect();
    let smoothed = |place: f64| {
        let weighed = tried.iter().map(|(log_odds, _, f)| {
            let weight = (-0.5 * ((log_odds - place) / SMOOTHING).powi(2)).exp();
            (weight, weight * f)
        });
        let (weights, sum) = weighed.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        sum / weights
    };
    let smoothed: Vec<f64> = tried.iter().map(|&(log_odds, ..)| smoothed(log_odds)).collect();
    let most = smoothed.iter().copied().reduce(f64::max)?;
    let above = |least: f64| (0..tried.len()).filter(move |&n| smoothed[n] > least);
    let best = match scores {
        Scores::Peaks { .. } => {
            let plateau: Vec<usize> = above(most - 1e-9).collect();
            plateau[plateau.len() / 2]
        }
        Scores::Probabilities => {
            let lesions: usize = subjects.iter().map(|subject| subject.borrow().truth.len()).sum();
            let as_good = CHANCE / (lesions as f64).sqrt();
            let expected = most / (1.0 + beta * beta);
            let from_there = |&n: &usize| (tried[n].0 - (expected / (1.0 - expected)).ln()).abs();
            above(most - as_good).min_by(|a, b| from_there(a).total_cmp(&from_there(b)))?
        }
    };
    Some(two_digits(tried[best].1) as f32)
}

/// Rounds a probability to hundredths, or to two significant digits of its distance from 0 or 1: more are not known.
pub(super) fn two_digits(probability: f64) -> f64 {
    let distance = probability.min(1.0 - probability);
    let digits = (1.0 - distance.log10().floor()).max(2.0) as usize;
    // Through text: the float nearest to the decimal number.
    format!("{probability:.digits$}").parse().unwrap_or(probability)
}
