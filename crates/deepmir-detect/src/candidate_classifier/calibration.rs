//! Calibration of the probabilities of a candidate classifier.

use std::collections::BTreeMap;

use deepmir_lesion::{Candidate, LesionClass};
use serde::{Deserialize, Serialize};

use crate::DetectError;

/// Standard deviation of the slope around 1, and of the offset around 0, that is expected before any data: what few
/// candidates say is drawn to no change.
const PRIOR: [f64; 2] = [0.5, 1.0];
/// Log-odds beyond this are taken for it, in the fit only.
const MAX_LOG_ODDS: f64 = 15.0;
/// A calibration must keep the order of candidates.
const MIN_SLOPE: f64 = 0.1;
const ITERATIONS: usize = 50;

/// A straight line from the log-odds of a probability to those of the calibrated one (Platt 1999). On log-odds, no change is
/// one of its lines, as Kull, Silva Filho and Flach (2017) ask of a calibration of probabilities. It keeps the order of
/// candidates.
///
/// ```
/// use deepmir_detect::candidate_classifier::Calibration;
///
/// let calibration = Calibration { slope: 0.5, offset: -1.0 };
/// let calibrated = calibration.apply(0.9);
/// let expected = 1.0 / (1.0 + (1.0 - 0.5 * 9.0_f32.ln()).exp());
/// assert!((calibrated - expected).abs() < 1e-6);
/// assert_eq!(calibration.apply(0.0), 0.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Calibrated log-odds for each of the log-odds.
    pub slope: f64,
    /// Calibrated log-odds where the log-odds are 0.
    pub offset: f64,
}

impl Calibration {
    /// No change.
    pub const NONE: Self = Self { slope: 1.0, offset: 0.0 };

    /// The calibrated probability. 0 and 1 stay what they are.
    pub fn apply(&self, probability: f32) -> f32 {
        logistic(self.slope * log_odds(probability) + self.offset) as f32
    }

    /// This calibration, and `next` of its results, as one.
    #[must_use]
    pub fn then(&self, next: Self) -> Self {
        let slope = self.slope * next.slope;
        Self { slope, offset: next.slope * self.offset + next.offset }
    }

    /// The likeliest calibration of candidates with a probability each, of which it is known whether they are lesions, given
    /// that slope and offset are normally distributed around no change.
    pub fn fit(candidates: &[(f32, bool)]) -> Self {
        let odds = candidates.iter().map(|&(probability, is_lesion)| {
            let odds = log_odds(probability).clamp(-MAX_LOG_ODDS, MAX_LOG_ODDS);
            (odds, f64::from(u8::from(is_lesion)))
        });
        let odds: Vec<(f64, f64)> = odds.collect();
        let [tight_slope, tight_offset] = PRIOR.map(|deviation| 1.0 / (deviation * deviation));
        let Self { mut slope, mut offset } = Self::NONE;
        for _ in 0..ITERATIONS {
            // Gradient and curvature of the logarithm of the likelihood.
            let mut gradient = [tight_slope * (1.0 - slope), -tight_offset * offset];
            let [mut ss, mut so, mut oo] = [tight_slope, 0.0, tight_offset];
            for &(x, is_lesion) in &odds {
                let expected = logistic(slope * x + offset);
                let weight = expected * (1.0 - expected);
                gradient[0] += (is_lesion - expected) * x;
                gradient[1] += is_lesion - expected;
                ss += weight * x * x;
                so += weight * x;
                oo += weight;
            }
            let determinant = ss * oo - so * so;
            let steps = [
                (oo * gradient[0] - so * gradient[1]) / determinant,
                (ss * gradient[1] - so * gradient[0]) / determinant,
            ];
            // Not farther than where the curvature still holds.
            let [by_slope, by_offset] = steps.map(|step| step.clamp(-0.5, 0.5));
            slope = (slope + by_slope).max(MIN_SLOPE);
            offset += by_offset;
            if steps.iter().all(|step| step.abs() < 1e-9) {
                break;
            }
        }
        Self { slope, offset }
    }

    /// Checks that it keeps the order of candidates.
    ///
    /// # Errors
    /// Naming the key that does not.
    pub fn validate(&self) -> Result<(), DetectError> {
        let invalid = |reason: String| Err(DetectError::Invalid { reason });
        if !(self.slope.is_finite() && self.slope > 0.0) {
            return invalid(format!("slope {} of a calibration must be above 0", self.slope));
        }
        if !self.offset.is_finite() {
            return invalid(format!("offset {} of a calibration must be a number", self.offset));
        }
        Ok(())
    }
}

/// Calibrates the probabilities of scored candidates, each by its class.
pub fn calibrate(candidates: &mut [Candidate], of_class: &BTreeMap<LesionClass, Calibration>) {
    for candidate in candidates {
        if let Some(calibration) = of_class.get(&candidate.lesion.class) {
            let probability = &mut candidate.lesion_probability;
            *probability = probability.map(|probability| calibration.apply(probability));
        }
    }
}

fn log_odds(probability: f32) -> f64 {
    let probability = f64::from(probability);
    (probability / (1.0 - probability)).ln()
}

fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Probabilities as drawn, of which lesions are as many as `truth` of them says.
    fn drawn(count: usize, truth: impl Fn(f64) -> f64) -> Vec<(f32, bool)> {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let one = |_| {
            let odds: f64 = 8.0 * random.random::<f64>() - 5.0;
            let is_lesion = random.random::<f64>() < truth(odds);
            (logistic(odds) as f32, is_lesion)
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn the_line_that_probabilities_are_wrong_by_is_found() {
        let fitted = Calibration::fit(&drawn(20_000, |odds| logistic(0.6 * odds - 0.8)));
        assert!((fitted.slope - 0.6).abs() < 0.04, "{fitted:?}");
        assert!((fitted.offset + 0.8).abs() < 0.08, "{fitted:?}");
    }

    #[test]
    fn few_candidates_change_little_and_none_change_nothing() {
        assert_eq!(Calibration::fit(&[]), Calibration::NONE);
        let one = Calibration::fit(&[(0.9, false)]);
        assert!(one.slope > 0.5 && one.slope < 1.0, "{one:?}");
        assert!(one.offset < 0.0 && one.offset > -1.0, "{one:?}");
        // Even scores that are the wrong way round keep their order.
        let reversed = Calibration::fit(&drawn(2000, |odds| logistic(-2.0 * odds)));
        reversed.validate().unwrap();
        assert!(reversed.apply(0.9) > reversed.apply(0.1), "{reversed:?}");
    }

    #[test]
    fn two_calibrations_are_one() {
        let (first, second) =
            (Calibration { slope: 0.5, offset: -1.0 }, Calibration { slope: 1.5, offset: 0.25 });
        let both = first.then(second);
        for probability in [0.001, 0.2, 0.5, 0.97] {
            let one = second.apply(first.apply(probability));
            assert!((both.apply(probability) - one).abs() < 1e-6);
        }
        assert_eq!(first.then(Calibration::NONE), first);
    }

    #[test]
    fn what_would_turn_the_order_round_is_refused() {
        let refused =
            |slope, offset| Calibration { slope, offset }.validate().unwrap_err().to_string();
        assert!(refused(0.0, 0.0).contains("slope 0"));
        assert!(refused(f64::NAN, 0.0).contains("slope NaN"));
        assert!(refused(1.0, f64::INFINITY).contains("offset inf"));
    }
}
