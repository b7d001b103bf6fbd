//! What became of a place between two visits, as a probability.

use deepmir_lesion::Change;
use serde::{Deserialize, Serialize};

use super::measure::PlaceSums;
use super::sites::Evidence;

/// The model that comes with the program, fitted by `bench/visits/fit.py` to simulated pairs of visits.
const SHIPPED: &str = include_str!("change_model.json");

/// How probable each state of a place is. `none`, `gone`, `new` and `both` sum to 1, and so do `grown`, `shrunk` and
/// what is left for stable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Probabilities {
    /// No lesion at either visit.
    pub none: f64,
    /// A lesion at the baseline alone.
    pub gone: f64,
    /// A lesion at the follow-up alone.
    pub new: f64,
    /// A lesion at both.
    pub both: f64,
    /// If it is there at both: that it has grown.
    pub grown: f64,
    /// If it is there at both: that it has shrunk.
    pub shrunk: f64,
}

/// A multinomial logistic regression over the evidence of both visits. It is symmetric: with the visits exchanged, new
/// and gone, and grown and shrunk, change places.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeModel {
    /// Weights of a lesion at both visits, against none.
    both: [f64; 7],
    /// Weights of a lesion at one visit alone, against none.
    one: [f64; 10],
    /// Weights of growth, against a stable lesion: of 1, and of the log ratios of both sums.
    growth: [f64; 3],
    /// Least probability of a lesion at either visit.
    lesion_threshold: f64,
    /// Least probability of a new lesion, and of one that is gone.
    change_threshold: f64,
    /// Least probability that a lesion at both visits has grown, or shrunk.
    growth_threshold: f64,
    /// How much the sums over unchanged lesions differ from scan to scan.
    spread: Spreads,
}

/// Standard deviations of the log ratios of total susceptibility and of the SWI's deficit, of unchanged lesions.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spreads {
    same_protocol: [f64; 2],
    other_protocol: [f64; 2],
}

impl ChangeModel {
    /// The model that comes with the program.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[expect(clippy::expect_used, reason = "a test reads what is compiled in")]
    pub fn shipped() -> Self {
        serde_json::from_str(SHIPPED).expect("the shipped model of changes is whole")
    }

    /// The probabilities of a place.
    pub fn probabilities(&self, seen: &[Evidence; 2], sums: &[PlaceSums; 2]) -> Probabilities {
        let ratios = log_ratios(sums);
        let one = |here: usize| {
            let sign = if here == 1 { 1.0 } else { -1.0 };
            let features =
                one_features(&seen[here], &seen[1 - here], ratios.map(|ratio| sign * ratio));
            dot(&self.one, &features)
        };
        let logits = [0.0, one(0), one(1), dot(&self.both, &both_features(seen, ratios))];
        let [none, gone, new, both] = softmax(logits);
        let push = dot(&self.growth[1..], &ratios);
        let [_, grown, shrunk] = softmax([0.0, self.growth[0] + push, self.growth[0] - push]);
        Probabilities { none, gone, new, both, grown, shrunk }
    }

    /// What became of a place; `None` if it is no lesion at either visit.
    pub fn decide(&self, of: &Probabilities) -> Option<Change> {
        if 1.0 - of.none < self.lesion_threshold {
            return None;
        }
        Some(if of.new >= self.change_threshold {
            Change::New
        } else if of.gone >= self.change_threshold {
            Change::Gone
        } else if of.grown >= self.growth_threshold {
            Change::Grown
        } else if of.shrunk >= self.growth_threshold {
            Change::Shrunk
        } else {
            Change::Stable
        })
    }

    /// Standard deviation of the log ratios of an unchanged lesion's total susceptibility and SWI deficit between two
    /// scans.
    pub fn scan_rescan_error(&self, same_protocol: bool) -> [f64; 2] {
        if same_protocol { self.spread.same_protocol } else { self.spread.other_protocol }
    }
}

fn both_features(seen: &[Evidence; 2], ratios: [f64; 2]) -> [f64; 7] {
    let [one, other] = seen;
    [
        1.0,
        one.log_odds + other.log_odds,
        one.patch_log_odds + other.patch_log_odds,
        (one.log_odds - other.log_odds).abs(),
        one.peak + other.peak,
        ratios[0].abs(),
        ratios[1].abs(),
    ]
}

/// `ratios` are those of this visit over the other.
fn one_features(here: &Evidence, there: &Evidence, ratios: [f64; 2]) -> [f64; 10] {
    [
        1.0,
        here.log_odds,
        there.log_odds,
        here.patch_log_odds,
        there.patch_log_odds,
        here.peak,
        there.peak,
        here.swi_contrast - there.swi_contrast,
        ratios[0],
        ratios[1],
    ]
}

/// Log ratios, follow-up over baseline, of the total susceptibility and of the SWI's deficit; 0 where they cannot be
/// had.
pub(super) fn log_ratios(sums: &[PlaceSums; 2]) -> [f64; 2] {
    // Smaller sums are noise.
    let ratio = |of: fn(&PlaceSums) -> Option<f64>, least: f64| {
        let [before, after] = sums.each_ref().map(of);
        before.zip(after).map_or(0.0, |(before, after)| {
            (after.max(least) / before.max(least)).ln().clamp(-3.0, 3.0)
        })
    };
    [ratio(|sums| sums.chi_total_ppm_mm3, 0.3), ratio(|sums| sums.swi_deficit_mm3, 1.0)]
}

fn softmax<const N: usize>(logits: [f64; N]) -> [f64; N] {
    let highest = logits.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let shares = logits.map(|logit| (logit - highest).exp());
    let all: f64 = shares.iter().sum();
    shares.map(|share| share / all)
}

fn dot(weights: &[f64], values: &[f64]) -> f64 {
    weights.iter().zip(values).map(|(weight, value)| weight * value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(log_odds: f64, contrast: f64) -> Evidence {
        Evidence {
            log_odds,
            patch_log_odds: log_odds,
            peak: if log_odds > 0.0 { 3.0 } else { 0.1 },
            swi_contrast: contrast,
            chi_contrast: None,
        }
    }

    fn sums(chi: f64, deficit: f64) -> PlaceSums {
        PlaceSums { swi_deficit_mm3: Some(deficit), chi_total_ppm_mm3: Some(chi) }
    }

    #[test]
    fn what_one_visit_alone_shows_is_a_change_and_what_is_only_weaker_is_none() {
        let model = ChangeModel::shipped();
        let decide = |seen: [Evidence; 2], sums: [PlaceSums; 2]| {
            let of = model.probabilities(&seen, &sums);
            assert!((of.none + of.gone + of.new + of.both - 1.0).abs() < 1e-12);
            model.decide(&of)
        };
        let (clear, nothing) = (evidence(5.0, 4.0), evidence(-7.0, 0.0));
        let (large, empty) = (sums(15.0, 40.0), sums(0.0, 0.0));
        assert_eq!(decide([nothing, clear], [empty, large]), Some(Change::New));
        assert_eq!(decide([clear, nothing], [large, empty]), Some(Change::Gone));
        assert_eq!(decide([clear, clear], [large, large]), Some(Change::Stable));
        assert_eq!(decide([nothing, nothing], [empty, empty]), None);
        // Below the threshold at one visit, with as much iron there as at the other.
        let faint = evidence(-0.7, 3.6);
        assert_eq!(decide([faint, clear], [large, large]), Some(Change::Stable));
        assert_eq!(decide([clear, clear], [large, sums(37.0, 90.0)]), Some(Change::Grown));
        assert_eq!(decide([clear, clear], [sums(37.0, 90.0), large]), Some(Change::Shrunk));
    }

    #[test]
    fn exchanged_visits_exchange_new_and_gone() {
        let model = ChangeModel::shipped();
        let (seen, there) =
            ([evidence(2.0, 1.0), evidence(-1.0, 0.4)], [sums(6.0, 9.0), sums(4.0, 8.0)]);
        let one = model.probabilities(&seen, &there);
        let other = model.probabilities(&[seen[1], seen[0]], &[there[1], there[0]]);
        for (a, b) in [
            (one.new, other.gone),
            (one.gone, other.new),
            (one.both, other.both),
            (one.grown, other.shrunk),
        ] {
            assert!((a - b).abs() < 1e-12);
        }
    }

    #[test]
    fn missing_maps_say_nothing() {
        let none = PlaceSums::default();
        assert_eq!(log_ratios(&[none, sums(3.0, 4.0)]), [0.0, 0.0]);
        let [chi, swi] = log_ratios(&[sums(2.0, 5.0), sums(4.0, 5.0)]);
        assert!((chi - 2.0_f64.ln()).abs() < 1e-12 && swi == 0.0);
    }
}
