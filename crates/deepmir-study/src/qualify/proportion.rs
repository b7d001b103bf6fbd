//! Proportions and pairs of them.

pub use deepmir_lesion::metrics::wilson;

/// The two-sided p value of McNemar's exact test: of pairs that differ, `one` are found by the one alone and `other`
/// by the other alone.
#[must_use]
pub fn mcnemar(one: usize, other: usize) -> f64 {
    let pairs = one + other;
    let least = one.min(other);
    // Binomial terms by their ratios, from that of none on, in logarithms: they may be too small for a number.
    let mut log_term = -(pairs as f64) * 2.0_f64.ln();
    let mut tail = log_term.exp();
    for k in 1..=least {
        log_term += ((pairs - k + 1) as f64 / k as f64).ln();
        tail += log_term.exp();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Fixture {
        wilson: Vec<(usize, usize, f64, f64)>,
        mcnemar: Vec<(usize, usize, f64)>,
    }

    #[test]
    fn intervals_and_p_values_are_those_of_scipy() {
        let text = include_str!("../../tests/fixtures/logistic.json");
        let fixture: Fixture = serde_json::from_str(text).unwrap();
        for (found, count, low, high) in fixture.wilson {
            let [share, a, b] = wilson(found, count).unwrap();
            assert_eq!(share, found as f64 / count as f64);
            assert!((a - low).abs() < 1e-9 && (b - high).abs() < 1e-9, "{found} of {count}");
        }
        for (one, other, p) in fixture.mcnemar {
            assert!((mcnemar(one, other) - p).abs() < 1e-9, "{one} {other}");
        }
        assert_eq!(wilson(0, 0), None);
    }
}
