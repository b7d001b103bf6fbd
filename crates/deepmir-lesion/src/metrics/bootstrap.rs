//! Intervals by resampling subjects.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// A number and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// On the subjects as they are.
    pub value: f64,
    /// 2.5th percentile over resamples.
    pub low: f64,
    /// 97.5th percentile over resamples.
    pub high: f64,
}

/// How often to resample, and from which seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Number of resamples.
    pub resamples: usize,
    /// Seed of the generator: the same seed draws the same subjects.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 2000, seed: 0 }
    }
}

impl Bootstrap {
    /// The subjects of each resample, `count` of `count` drawn with replacement. Of none, none.
    pub fn draws(&self, count: usize) -> impl Iterator<Item = Vec<usize>> + use<> {
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
        let resamples = if count == 0 { 0 } else { self.resamples };
        (0..resamples).map(move |_| (0..count).map(|_| generator.random_range(0..count)).collect())
    }

    /// A statistic of `count` subjects with its percentile interval: subjects are drawn with
    /// replacement (Efron and Tibshirani 1993), lesions of one subject staying together. Resamples
    /// on which the statistic is undefined are left out; `None` if it is undefined on the subjects
    /// as they are.
    pub fn estimate(
        &self,
        count: usize,
        mut statistic: impl FnMut(&[usize]) -> Option<f64>,
    ) -> Option<Estimate> {
        let all: Vec<usize> = (0..count).collect();
        let value = statistic(&all)?;
        let mut values: Vec<f64> =
            self.draws(count).filter_map(|drawn| statistic(&drawn)).collect();
        values.sort_by(f64::total_cmp);
        let at = |q: f64| {
            let place = q * (values.len().saturating_sub(1)) as f64;
            let (low, part) = (place.floor() as usize, place.fract());
            match (values.get(low), values.get(low + 1)) {
                (Some(low), Some(high)) => low + part * (high - low),
                (Some(low), None) => *low,
                _ => value,
            }
        };
        Some(Estimate { value, low: at(0.025), high: at(0.975) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_is_near_the_normal_one() {
        let values: Vec<f64> = (0..200).map(|n| ((n * 7919) % 200) as f64).collect();
        let mean = |drawn: &[usize]| {
            Some(drawn.iter().map(|&n| values[n]).sum::<f64>() / drawn.len() as f64)
        };
        let estimate = Bootstrap::default().estimate(values.len(), mean).unwrap();
        let error = (200.0_f64.powi(2) / 12.0 / 200.0).sqrt();
        assert!((estimate.value - 99.5).abs() < 1e-9);
        assert!((estimate.low - (99.5 - 1.96 * error)).abs() < 1.0);
        assert!((estimate.high - (99.5 + 1.96 * error)).abs() < 1.0);
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let statistic = |drawn: &[usize]| Some(drawn.iter().sum::<usize>() as f64);
        let bootstrap = Bootstrap { resamples: 50, seed: 7 };
        assert_eq!(bootstrap.estimate(9, statistic), bootstrap.estimate(9, statistic));
        assert_eq!(bootstrap.estimate(0, |_| None), None);
    }
}
