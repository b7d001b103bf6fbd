//! The challenge's measures equal those of `fixtures/make_valdo.py`, which uses scipy, on the maps of
//! `fixtures/scores.json`.

use std::collections::BTreeMap;

use deepmir_lesion::LesionClass;
use deepmir_lesion::metrics::{Spread, VALDO_MEASURES, ValdoScore, valdo_score};
use serde::Deserialize;

use crate::maps::{close, pairs};

#[derive(Deserialize)]
struct Expected {
    spacing_mm: [f64; 3],
    cases: Vec<[ExpectedScore; 2]>,
    spreads: [BTreeMap<String, ExpectedSpread>; 2],
}

#[derive(Deserialize)]
struct ExpectedScore {
    truth: usize,
    predicted: usize,
    right: usize,
    dice: Option<f64>,
    f1: Option<f64>,
    absolute_volume_difference_mm3: f64,
    absolute_count_difference: usize,
}

#[derive(Deserialize)]
struct ExpectedSpread {
    scans: usize,
    quartiles: [f64; 3],
    mean: f64,
    standard_deviation: f64,
}

#[test]
fn the_four_measures_and_their_spread_are_the_same() {
    let expected: Expected = serde_json::from_str(include_str!("../fixtures/valdo.json")).unwrap();
    let mut scores: [Vec<ValdoScore>; 2] = Default::default();
    for ([truth, predicted], wanted) in pairs(expected.spacing_mm).iter().zip(&expected.cases) {
        for (n, (class, want)) in LesionClass::ALL.into_iter().zip(wanted).enumerate() {
            let got = valdo_score(truth, predicted, class);
            let counts = (got.truth, got.predicted, got.matched, got.absolute_count_difference);
            let wanted = (want.truth, want.predicted, want.right, want.absolute_count_difference);
            assert_eq!(counts, wanted);
            assert!(close(got.dice, want.dice) && close(got.f1, want.f1), "{got:?}");
            let volume = got.absolute_volume_difference_mm3;
            assert!((volume - want.absolute_volume_difference_mm3).abs() < 1e-6);
            scores[n].push(got);
        }
    }
    for (scores, wanted) in scores.iter().zip(&expected.spreads) {
        for (name, measure) in VALDO_MEASURES {
            let (got, want) = (Spread::of(scores.iter().map(measure)).unwrap(), &wanted[name]);
            assert_eq!(got.scans, want.scans, "{name}");
            let quartiles = [got.first_quartile, got.median, got.third_quartile];
            let all = quartiles.into_iter().chain([got.mean]).chain(got.standard_deviation);
            let wanted = want.quartiles.iter().chain([&want.mean, &want.standard_deviation]);
            assert!(all.zip(wanted).all(|(got, want)| (got - want).abs() < 1e-6), "{name}");
        }
    }
}
