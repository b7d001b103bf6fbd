//! Counts, matching, Dice and confusion equal those of `fixtures/make_fixtures.py`, which uses
//! connected-components-3d and scipy's assignment solver.

use std::collections::BTreeMap;
use std::path::PathBuf;

use deepmir_lesion::metrics::{Bootstrap, SubjectScore, pool, score};
use deepmir_lesion::{LabelMap, LesionClass};
use deepmir_volume::components::Connectivity;
use deepmir_volume::{Affine, Grid, Volume};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    truth: String,
    predicted: String,
    scores: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Expected {
    classes: [ExpectedClass; 2],
    /// Row and column sums: the pairing may differ where several are equally good.
    confusion_totals: [[usize; 3]; 2],
}

#[derive(Deserialize)]
struct ExpectedClass {
    truth: usize,
    predicted: usize,
    matched: usize,
    dice: Option<f64>,
}

fn labels(digits: &str, grid: Grid) -> LabelMap {
    let values = digits.bytes().map(|digit| i32::from(digit - b'0')).collect();
    let volume = Volume::new(grid, values).unwrap();
    LabelMap::from_integers(&volume, &PathBuf::from("fixture")).unwrap()
}

#[test]
fn counts_dice_and_confusion_are_the_same() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scores.json");
    let fixture: Fixture = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let grid =
        Grid::new(fixture.shape, Affine::from_spacing(fixture.spacing_mm, [0.0; 3])).unwrap();
    let mut by_rule: BTreeMap<&str, Vec<SubjectScore>> = BTreeMap::new();
    for (n, case) in fixture.cases.iter().enumerate() {
        let (truth, predicted) = (labels(&case.truth, grid), labels(&case.predicted, grid));
        for (rule, expected) in &case.scores {
            let got = score(
                &format!("sub-{n:02}"),
                &truth,
                &predicted,
                &LesionClass::ALL,
                rule.parse().unwrap(),
                Connectivity::TwentySix,
            );
            for (got, want) in got.classes.iter().zip(&expected.classes) {
                let counts = (got.truth, got.predicted, got.matched);
                assert_eq!(counts, (want.truth, want.predicted, want.matched), "case {n}, {rule}");
                match (got.dice(), want.dice) {
                    (Some(got), Some(want)) => assert!((got - want).abs() < 1e-9),
                    (got, want) => assert_eq!(got, want, "case {n}"),
                }
            }
            let rows: [usize; 3] = got.confusion.counts.map(|row| row.iter().sum());
            let columns: [usize; 3] =
                std::array::from_fn(|p| got.confusion.counts.iter().map(|row| row[p]).sum());
            assert_eq!([rows, columns], expected.confusion_totals, "case {n}, {rule}");
            by_rule.entry(rule).or_default().push(got);
        }
    }

    // Pooling is the sum over subjects.
    for (rule, subjects) in by_rule {
        let (pooled, _) =
            pool(&subjects, &LesionClass::ALL, &Bootstrap { resamples: 200, seed: 1 });
        for (class, pooled) in pooled.iter().enumerate() {
            let expected = || fixture.cases.iter().map(|case| &case.scores[rule].classes[class]);
            let (truth, predicted, matched) = expected().fold((0, 0, 0), |sum, one| {
                (sum.0 + one.truth, sum.1 + one.predicted, sum.2 + one.matched)
            });
            assert_eq!(
                (pooled.truth, pooled.predicted, pooled.matched),
                (truth, predicted, matched)
            );
            let sensitivity = pooled.metric("sensitivity").unwrap();
            assert!((sensitivity.value - matched as f64 / truth as f64).abs() < 1e-12);
            assert!(sensitivity.low <= sensitivity.value && sensitivity.value <= sensitivity.high);
            let by_size: usize = pooled.by_size.iter().map(|(_, counts)| counts.truth).sum();
            assert_eq!(by_size, truth);
        }
    }
}
