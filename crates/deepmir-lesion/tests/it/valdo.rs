//! The challenge's measures equal those of `fixtures/make_valdo.py`, which uses scipy, on the maps of
//! `fixtures/scores.json`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use deepmir_lesion::metrics::{Spread, VALDO_MEASURES, ValdoScore, valdo_score};
use deepmir_lesion::{LabelMap, LesionClass};
use deepmir_volume::{Affine, Grid, Volume};
use serde::Deserialize;

#[derive(Deserialize)]
struct Maps {
    shape: [usize; 3],
    cases: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    truth: String,
    predicted: String,
}

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

fn labels(digits: &str, grid: Grid) -> LabelMap {
    let values = digits.bytes().map(|digit| i32::from(digit - b'0')).collect();
    LabelMap::from_integers(&Volume::new(grid, values).unwrap(), &PathBuf::from("fixture")).unwrap()
}

fn close(got: Option<f64>, want: Option<f64>) -> bool {
    match (got, want) {
        (Some(got), Some(want)) => (got - want).abs() < 1e-9,
        (got, want) => got == want,
    }
}

#[test]
fn the_four_measures_and_their_spread_are_the_same() {
    let maps: Maps = serde_json::from_str(include_str!("../fixtures/scores.json")).unwrap();
    let expected: Expected = serde_json::from_str(include_str!("../fixtures/valdo.json")).unwrap();
    let grid = Grid::new(maps.shape, Affine::from_spacing(expected.spacing_mm, [0.0; 3])).unwrap();
    let mut scores: [Vec<ValdoScore>; 2] = Default::default();
    for (pair, wanted) in maps.cases.iter().zip(&expected.cases) {
        let (truth, predicted) = (labels(&pair.truth, grid), labels(&pair.predicted, grid));
        for (n, (class, want)) in LesionClass::ALL.into_iter().zip(wanted).enumerate() {
            let got = valdo_score(&truth, &predicted, class);
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
