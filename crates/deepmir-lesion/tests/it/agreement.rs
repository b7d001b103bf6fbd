//! Kappa and ICC equal scikit-learn's and pingouin's (`fixtures/make_agreement.py`).

use deepmir_lesion::metrics::{cohen_kappa, icc_2_1};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    counts: Vec<[f64; 2]>,
    kappa: f64,
    icc: f64,
}

#[test]
fn kappa_and_icc_are_those_of_other_programs() {
    let text = include_str!("../fixtures/agreement.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), 15);
    for case in cases {
        let present: Vec<(bool, bool)> =
            case.counts.iter().map(|[a, b]| (*a > 0.0, *b > 0.0)).collect();
        assert!((cohen_kappa(&present).unwrap() - case.kappa).abs() < 1e-9);
        assert!((icc_2_1(&case.counts).unwrap() - case.icc).abs() < 1e-9);
    }
}
