//! Logistic regression of few coefficients, by maximum likelihood or, where that has no finite answer, by Firth's
//! penalty.

use deepmir_lesion::metrics::Z95;

/// A yes-or-no outcome with what it depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation<'a> {
    /// Predictors, the 1 of the intercept among them.
    pub x: &'a [f64],
    /// The outcome.
    pub found: bool,
    /// How often it counts.
    pub weight: f64,
}

/// A fitted regression.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// One for each predictor, in logits.
    pub coefficients: Vec<f64>,
    /// Their covariance: the inverse of the information, row by row.
    pub covariance: Vec<f64>,
    /// Whether maximum likelihood had no finite answer (outcomes that the predictors separate, or all alike), so that
    /// the coefficients are Firth's.
    pub separated: bool,
}

/// Newton's steps. Likelihoods with a finite maximum are there in about eight; separated ones go one logit further at
/// every step.
const MOST_STEPS: usize = 25;
const MOST_PENALISED_STEPS: usize = 200;
/// A step that changes no coefficient by more has arrived.
const ARRIVED: f64 = 1e-9;
/// The longest step, in logits for a unit of a predictor.
const LONGEST: f64 = 5.0;

impl Fit {
    /// Maximum likelihood by iteratively reweighted least squares; if that does not converge, the maximum of the
    /// likelihood with Jeffreys' prior (Firth 1993; for separated outcomes Heinze and Schemper 2002), which is
    /// finite.
    /// `start` are coefficients near the answer. `None` where the predictors do not tell the coefficients apart, as
    /// with too few observations.
    #[must_use]
    pub fn new(observations: &[Observation<'_>], start: Option<&[f64]>) -> Option<Self> {
        let count = observations.first()?.x.len();
        let from = start.map_or_else(|| vec![0.0; count], <[f64]>::to_vec);
        // With one outcome alone no step is needed to know.
        let some = |found| observations.iter().any(|one| one.found == found && one.weight > 0.0);
        if some(true)
            && some(false)
            && let Some((coefficients, covariance)) = climb(observations, from, false, MOST_STEPS)
        {
            return Some(Self { coefficients, covariance, separated: false });
        }
        let (coefficients, covariance) =
            climb(observations, vec![0.0; count], true, MOST_PENALISED_STEPS)?;
        Some(Self { coefficients, covariance, separated: true })
    }

    /// The logit at `x`, and its standard error by the delta method.
    #[must_use]
    pub fn logit(&self, x: &[f64]) -> (f64, f64) {
        (dot(&self.coefficients, x), quadratic(&self.covariance, x).max(0.0).sqrt())
    }

    /// The probability at `x` with its 95 % interval by the delta method (Wald's, on logits).
    #[must_use]
    pub fn probability(&self, x: &[f64]) -> [f64; 3] {
        let (logit, error) = self.logit(x);
        [logit, logit - Z95 * error, logit + Z95 * error].map(expit)
    }

    /// The value of predictor `at` where the probability is `share`, the others as in `x`, with its standard error by
    /// the delta method. `None` where the probability does not depend on it.
    #[must_use]
    pub fn inverse(&self, share: f64, x: &[f64], at: usize) -> Option<(f64, f64)> {
        let slope = *self.coefficients.get(at)?;
        if slope.abs() < f64::EPSILON {
            return None;
        }
        let others: f64 = dot(&self.coefficients, x) - slope * x[at];
        let value = (logit_of(share) - others) / slope;
        let mut gradient: Vec<f64> = x.iter().map(|value| -value / slope).collect();
        gradient[at] = -value / slope;
        Some((value, quadratic(&self.covariance, &gradient).max(0.0).sqrt()))
    }
}

/// The probability of a logit.
#[must_use]
pub fn expit(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// The logit of a probability.
#[must_use]
pub fn logit_of(probability: f64) -> f64 {
    (probability / (1.0 - probability)).ln()
}

/// Coefficients and covariance at the maximum; `None` if it is not reached.
fn climb(
    observations: &[Observation<'_>],
    mut at: Vec<f64>,
    penalised: bool,
    most: usize,
) -> Option<(Vec<f64>, Vec<f64>)> {
    let mut place = Place::of(observations, &at, penalised)?;
    for _ in 0..most {
        let (mut step, longest) = place.step();
        if longest > LONGEST {
            step.iter_mut().for_each(|part| *part *= LONGEST / longest);
        }
        let arrived = longest < ARRIVED;
        let mut share = 1.0;
        loop {
            let next: Vec<f64> = at.iter().zip(&step).map(|(a, part)| a + share * part).collect();
            let there = Place::of(observations, &next, penalised);
            if let Some(there) = there.filter(|there| {
                // Sums of many terms are not exact.
                arrived || there.height >= place.height - 1e-12 * place.height.abs()
            }) {
                (at, place) = (next, there);
                break;
            }
            share /= 2.0;
            if share < 1e-6 {
                // No way up: the maximum, as far as numbers tell.
                return (longest < 1e-4).then_some((at, place.covariance));
            }
        }
        if arrived {
            return Some((at, place.covariance));
        }
    }
    None
}

/// A point on the way up.
struct Place {
    /// The (penalised) log likelihood.
    height: f64,
    score: Vec<f64>,
    covariance: Vec<f64>,
}

impl Place {
    /// `None` where the information is singular.
    fn of(observations: &[Observation<'_>], at: &[f64], penalised: bool) -> Option<Self> {
        let count = at.len();
        let mut information = vec![0.0; count * count];
        let mut height = 0.0;
        for one in observations.iter().filter(|one| one.weight > 0.0) {
            let logit = dot(at, one.x);
            let probability = expit(logit);
            let spread = one.weight * probability * (1.0 - probability);
            for (row, a) in one.x.iter().enumerate() {
                for (column, b) in one.x.iter().enumerate() {
                    information[row * count + column] += spread * a * b;
                }
            }
            // ln(1 + exp) without overflow.
            let towards = if one.found { -logit } else { logit };
            height -= one.weight * (towards.max(0.0) + (-towards.abs()).exp().ln_1p());
        }
        let (covariance, log_determinant) = inverse(&information, count)?;
        if penalised {
            height += 0.5 * log_determinant;
        }
        let mut score = vec![0.0; count];
        for one in observations.iter().filter(|one| one.weight > 0.0) {
            let probability = expit(dot(at, one.x));
            let mut residual = f64::from(u8::from(one.found)) - probability;
            if penalised {
                let leverage = probability * (1.0 - probability) * quadratic(&covariance, one.x);
                residual += leverage * (0.5 - probability);
            }
            for (part, x) in score.iter_mut().zip(one.x) {
                *part += one.weight * residual * x;
            }
        }
        height.is_finite().then_some(Self { height, score, covariance })
    }

    /// Newton's step and its largest part.
    fn step(&self) -> (Vec<f64>, f64) {
        let count = self.score.len();
        let step: Vec<f64> = (0..count)
            .map(|row| dot(&self.covariance[row * count..][..count], &self.score))
            .collect();
        let longest = step.iter().fold(0.0_f64, |most, part| most.max(part.abs()));
        (step, longest)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `xᵀ M x`.
fn quadratic(matrix: &[f64], x: &[f64]) -> f64 {
    let count = x.len();
    (0..count).map(|row| x[row] * dot(&matrix[row * count..][..count], x)).sum()
}

/// The inverse of a symmetric matrix and the logarithm of its determinant, by Cholesky; `None` if it is not positive
/// definite as far as numbers tell.
fn inverse(matrix: &[f64], count: usize) -> Option<(Vec<f64>, f64)> {
    let mut lower = vec![0.0; count * count];
    for row in 0..count {
        for column in 0..=row {
            let sum: f64 =
                (0..column).map(|n| lower[row * count + n] * lower[column * count + n]).sum();
            let rest = matrix[row * count + column] - sum;
            lower[row * count + column] = if row == column {
                if rest.is_nan() || rest <= 1e-12 * matrix[row * count + row].max(1e-280) {
                    return None;
                }
                rest.sqrt()
            } else {
                rest / lower[column * count + column]
            };
        }
    }
    let log_determinant = 2.0 * (0..count).map(|n| lower[n * count + n].ln()).sum::<f64>();
    let mut inverse = vec![0.0; count * count];
    for unit in 0..count {
        let mut solved = vec![0.0; count];
        for row in 0..count {
            let sum: f64 = (0..row).map(|n| lower[row * count + n] * solved[n]).sum();
            solved[row] = (f64::from(u8::from(row == unit)) - sum) / lower[row * count + row];
        }
        for row in (0..count).rev() {
            let sum: f64 = (row + 1..count).map(|n| lower[n * count + row] * solved[n]).sum();
            solved[row] = (solved[row] - sum) / lower[row * count + row];
        }
        (0..count).for_each(|row| inverse[row * count + unit] = solved[row]);
    }
    Some((inverse, log_determinant))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    /// Made by `logistic.py` beside it, by general-purpose optimisers of scipy.
    const FIXTURE: &str = include_str!("../../tests/fixtures/logistic.json");

    #[derive(Deserialize)]
    struct Fixture {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        x: Vec<Vec<f64>>,
        found: Vec<bool>,
        weight: Vec<f64>,
        separated: bool,
        coefficients: Vec<f64>,
        covariance: Vec<f64>,
        at: Vec<f64>,
        probability: [f64; 3],
        inverse: [f64; 2],
    }

    #[test]
    fn fits_are_those_of_a_general_optimiser() {
        let fixture: Fixture = serde_json::from_str(FIXTURE).unwrap();
        assert!(fixture.cases.len() >= 5);
        for case in &fixture.cases {
            let rows = case.x.iter().zip(&case.found).zip(&case.weight);
            let observations: Vec<Observation<'_>> =
                rows.map(|((x, &found), &weight)| Observation { x, found, weight }).collect();
            let fit = Fit::new(&observations, None).unwrap();
            assert_eq!(fit.separated, case.separated, "{}", case.name);
            let near = |found: &[f64], expected: &[f64], tolerance: f64| {
                for (a, b) in found.iter().zip(expected) {
                    let apart = (a - b).abs() / b.abs().max(1.0);
                    assert!(apart < tolerance, "{}: {found:?} {expected:?}", case.name);
                }
            };
            near(&fit.coefficients, &case.coefficients, 1e-5);
            near(&fit.covariance, &case.covariance, 1e-4);
            near(&fit.probability(&case.at), &case.probability, 1e-5);
            let (value, error) = fit.inverse(0.9, &case.at, 1).unwrap();
            near(&[value, error], &case.inverse, 1e-4);
            // From elsewhere to the same place.
            let again = Fit::new(&observations, Some(&vec![0.3; case.at.len()])).unwrap();
            near(&again.coefficients, &case.coefficients, 1e-5);
        }
    }

    #[test]
    fn a_weight_is_so_many_observations() {
        let x: Vec<[f64; 2]> = (0..12).map(|n| [1.0, f64::from(n)]).collect();
        let found = |n: usize| n > 6 || n == 4;
        let one = |n: usize, weight| Observation { x: &x[n], found: found(n), weight };
        let weighted: Vec<_> = (0..12).map(|n| one(n, (n % 3) as f64)).collect();
        let repeated: Vec<_> =
            (0..12).flat_map(|n| std::iter::repeat_n(one(n, 1.0), n % 3)).collect();
        let (a, b) = (Fit::new(&weighted, None).unwrap(), Fit::new(&repeated, None).unwrap());
        for (a, b) in a.coefficients.iter().zip(&b.coefficients) {
            assert!((a - b).abs() < 1e-8);
        }
    }

    #[test]
    fn what_cannot_be_told_apart_has_no_fit() {
        let x = [[1.0, 2.0], [1.0, 2.0]];
        let same: Vec<_> = x.iter().map(|x| Observation { x, found: true, weight: 1.0 }).collect();
        assert_eq!(Fit::new(&same, None), None);
        assert_eq!(Fit::new(&[], None), None);
    }
}
