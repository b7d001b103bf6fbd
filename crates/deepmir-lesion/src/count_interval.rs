//! How many lesions a scan has, by the probabilities of its candidates.

use serde::{Deserialize, Serialize};

/// Probability that the interval holds the true number, as far as the candidates' probabilities are right.
pub const COUNT_LEVEL: f64 = 0.9;

/// Standard deviation of what all log-odds of a scan are off by together: a scanner or a brain makes all of its lesions
/// look more or less like lesions. Set beforehand; how often the intervals hold the truth is measured in
/// `docs/results/magnitudes.md`.
const SHARED_LOG_ODDS: f64 = 0.5;

/// What is known of the number of a scan's lesions of one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CountInterval {
    /// Expected number.
    pub expected: f64,
    /// Lower end of the interval.
    pub low: usize,
    /// Upper end of the interval.
    pub high: usize,
}

impl CountInterval {
    /// Of candidates with these probabilities of being a lesion of the class.
    ///
    /// Given the probabilities, the number follows the Poisson binomial distribution (Le Cam 1960). All log-odds may be
    /// off by the same, unknown amount: normal, with a deviation that grows with `distance`, by how much the scan lies
    /// outside what the model learned from (0 within). It is integrated over by Gauss–Hermite quadrature with five nodes.
    pub fn of(probabilities: &[f64], distance: f64) -> Self {
        let deviation = SHARED_LOG_ODDS * (1.0 + distance.max(0.0));
        let mut mixed = vec![0.0; probabilities.len() + 1];
        for (node, weight) in NODES {
            let moved: Vec<f64> =
                probabilities.iter().map(|&p| shifted(p, node * deviation)).collect();
            for (sum, share) in mixed.iter_mut().zip(distribution(&moved)) {
                *sum += weight * share;
            }
        }
        let tail = (1.0 - COUNT_LEVEL) / 2.0;
        let expected = mixed.iter().enumerate().map(|(n, share)| n as f64 * share).sum();
        Self { expected, low: quantile(&mixed, tail), high: quantile(&mixed, 1.0 - tail) }
    }
}

/// Nodes and weights of the Gauss–Hermite quadrature of a standard normal distribution (Abramowitz and Stegun 1964, table
/// 25.10, scaled).
const NODES: [(f64, f64); 5] = [
    (-2.856_970_013_872_806, 0.011_257_411_327_720_7),
    (-1.355_626_179_974_266, 0.222_075_922_005_612_7),
    (0.0, 0.533_333_333_333_333_3),
    (1.355_626_179_974_266, 0.222_075_922_005_612_7),
    (2.856_970_013_872_806, 0.011_257_411_327_720_7),
];

/// A probability whose log-odds are shifted.
fn shifted(probability: f64, by: f64) -> f64 {
    let odds = probability / (1.0 - probability).max(1e-12) * by.exp();
    odds / (1.0 + odds)
}

/// The distribution of the number of successes of independent trials, from none to all.
fn distribution(probabilities: &[f64]) -> Vec<f64> {
    let mut shares = vec![0.0; probabilities.len() + 1];
    shares[0] = 1.0;
    for (tried, &p) in probabilities.iter().enumerate() {
        for n in (0..=tried).rev() {
            shares[n + 1] += p * shares[n];
            shares[n] *= 1.0 - p;
        }
    }
    shares
}

/// The least number that is not exceeded with a probability.
fn quantile(shares: &[f64], probability: f64) -> usize {
    let mut sum = 0.0;
    let reaches = |share: &f64| {
        sum += share;
        sum >= probability - 1e-9
    };
    shares.iter().position(reaches).unwrap_or(shares.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_probabilities_give_the_binomial_distribution() {
        let shares = distribution(&[0.3; 5]);
        let binomial = [0.168_07, 0.360_15, 0.308_7, 0.132_3, 0.028_35, 0.002_43];
        for (share, want) in shares.iter().zip(binomial) {
            assert!((share - want).abs() < 1e-12, "{shares:?}");
        }
        assert_eq!((quantile(&shares, 0.05), quantile(&shares, 0.95)), (0, 3));
    }

    #[test]
    fn nodes_have_the_moments_of_a_standard_normal_distribution() {
        for (power, moment) in [(0, 1.0), (1, 0.0), (2, 1.0), (4, 3.0), (8, 105.0)] {
            let sum: f64 = NODES.iter().map(|(node, weight)| weight * node.powi(power)).sum();
            assert!((sum - moment).abs() < 1e-9, "{power}: {sum}");
        }
    }

    #[test]
    fn sure_candidates_are_counted_and_a_strange_scan_widens_the_interval() {
        let sure = CountInterval::of(&[1.0, 1.0, 0.0], 0.0);
        assert_eq!((sure.low, sure.high), (2, 2));
        assert!((sure.expected - 2.0).abs() < 1e-9);
        assert_eq!(CountInterval::of(&[], 3.0), CountInterval { expected: 0.0, low: 0, high: 0 });
        let probabilities: Vec<f64> = (0..40).map(|n| f64::from(n) / 40.0).collect();
        let width = |distance: f64| {
            let interval = CountInterval::of(&probabilities, distance);
            assert!(interval.low as f64 <= interval.expected);
            assert!(interval.expected <= interval.high as f64);
            interval.high - interval.low
        };
        assert!(width(0.0) < width(1.0) && width(1.0) < width(3.0));
    }
}
