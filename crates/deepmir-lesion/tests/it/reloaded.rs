//! The measures that Metrics Reloaded recommends equal those of `fixtures/make_reloaded.py`, which uses scipy, on the
//! maps of `fixtures/scores.json`; what is undefined follows Reinke et al. 2024.

use std::collections::BTreeMap;

use deepmir_lesion::metrics::{RELOADED_MEASURES, reloaded_score};
use deepmir_lesion::{LabelMap, LesionClass};
use deepmir_volume::{Affine, Grid};
use serde::Deserialize;

use crate::maps::{close, pairs};

#[derive(Deserialize)]
struct Expected {
    spacing_mm: [f64; 3],
    cases: Vec<[BTreeMap<String, Option<f64>>; 2]>,
}

#[test]
fn every_measure_of_every_case_is_the_same() {
    let expected: Expected =
        serde_json::from_str(include_str!("../fixtures/reloaded.json")).unwrap();
    let pairs = pairs(expected.spacing_mm);
    for (number, ([truth, predicted], wanted)) in pairs.iter().zip(&expected.cases).enumerate() {
        for (class, wanted) in LesionClass::ALL.into_iter().zip(wanted) {
            let score = reloaded_score(truth, predicted, class);
            assert_eq!(wanted.len(), RELOADED_MEASURES.len());
            for (name, measure) in RELOADED_MEASURES {
                assert!(
                    close(measure(&score), wanted[name]),
                    "case {number}, {class}, {name}: {score:?}, wanted {:?}",
                    wanted[name]
                );
            }
        }
    }
}

#[test]
fn nothing_true_or_predicted_is_undefined_and_a_miss_is_zero() {
    let grid = Grid::new([9, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
    let none = LabelMap::empty(grid);
    let mut one = LabelMap::empty(grid);
    one.paint(&[3, 4], LesionClass::Cmb);
    let values = |truth: &LabelMap, predicted: &LabelMap| {
        let score = reloaded_score(truth, predicted, LesionClass::Cmb);
        let named = RELOADED_MEASURES.map(|(name, measure)| (name, measure(&score)));
        named.into_iter().collect::<BTreeMap<_, _>>()
    };
    assert!(values(&none, &none).values().all(Option::is_none));
    let missed = values(&one, &none);
    assert_eq!(
        (missed["f1"], missed["sensitivity"], missed["precision"]),
        (Some(0.0), Some(0.0), None)
    );
    assert_eq!((missed["panoptic_quality"], missed["dice"]), (Some(0.0), None));
    let false_one = values(&none, &one);
    assert_eq!((false_one["f1"], false_one["sensitivity"]), (Some(0.0), None));
    assert_eq!(false_one["precision"], Some(0.0));
    assert!(values(&one, &one).values().all(|value| *value == Some(1.0)));
}
