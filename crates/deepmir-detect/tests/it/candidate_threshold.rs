//! The candidate threshold of a rule against those that validation subjects are reduced at.

use deepmir_detect::DetectError;
use deepmir_detect::operating_point::{
    CandidateThreshold, ValidationSubject, choose, choose_at, warm_started,
};
use deepmir_lesion::LesionClass;

use crate::head::Head;

/// Regression: a threshold that was compared for equality and not found stood for all thresholds, or for none.
#[test]
fn a_candidate_threshold_not_among_those_tried_is_an_error() {
    let heads: Vec<Head> = (1..=10).map(Head::new).collect();
    let subjects: Vec<ValidationSubject> = heads.iter().map(|head| head.subject(true)).collect();
    let mut detection = choose(&subjects, &[LesionClass::Cmb], 1.0).detection;
    assert!(warm_started(&detection, &subjects, 1.0).is_ok());
    detection.rule.candidate_threshold = 0.45;
    let error = warm_started(&detection, &subjects, 1.0).unwrap_err();
    assert!(matches!(error, DetectError::UntriedThreshold { threshold: 0.45, .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("0.45") && message.contains("0.1, 0.2"), "{message}");
    assert!(message.contains("deepmir model tune"), "{message}");
}

/// Thresholds are decimal in files: rounding must not make one of them unknown.
#[test]
fn a_candidate_threshold_is_found_whatever_its_last_digit() {
    let stored: f32 = serde_json::from_str("0.1000000001").unwrap();
    let next = f32::from_bits(0.95_f32.to_bits() + 1);
    assert_eq!(CandidateThreshold::find(stored).unwrap().value(), 0.1);
    assert_eq!(CandidateThreshold::find(next).unwrap().value(), 0.95);
    assert_eq!(CandidateThreshold::all().count(), 10);
}

#[test]
fn thresholds_are_chosen_at_the_candidate_threshold_that_was_asked_for() {
    let subjects = [Head::new(1).subject(false)];
    for threshold in CandidateThreshold::all() {
        let rule = choose_at(threshold, &subjects, &[LesionClass::Cmb], 1.0).detection.rule;
        assert_eq!(rule.candidate_threshold, threshold.value());
    }
}
