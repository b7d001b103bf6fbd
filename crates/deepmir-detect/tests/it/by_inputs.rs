//! Thresholds and calibration by set of images.

use deepmir_detect::candidate_classifier::Calibration;
use deepmir_detect::operating_point::{
    CandidateThreshold, OperatingPoint, ValidationSubject, choose_at,
};
use deepmir_detect::{CandidateImages, Detection};
use deepmir_lesion::LesionClass;

use crate::head::Head;

const CLASSES: [LesionClass; 1] = [LesionClass::Cmb];

fn chosen(subjects: &[ValidationSubject]) -> OperatingPoint {
    choose_at(CandidateThreshold::find(0.5).unwrap(), subjects, &CLASSES, 1.0)
}

/// A head with T2w and without, the sets of images named or not.
fn subject(head: &Head, named: bool) -> ValidationSubject {
    let mut subject = head.subject(true);
    let images = CandidateImages::new(&head.brain, Some(&head.swi), None, None);
    let [all, without] = ["SWI+T2w", "SWI"].map(|name| named.then_some(name));
    subject.inputs = all.map(str::to_owned);
    subject.add_missing_modality_view(&head.maps, None, &images, without).unwrap();
    subject
}

#[test]
fn each_named_set_of_images_has_its_own_threshold_and_calibration() {
    let heads: Vec<Head> = (1..=10).map(Head::new).collect();
    let subjects = |named| heads.iter().map(|head| subject(head, named)).collect::<Vec<_>>();
    let point = chosen(&subjects(true));
    let sets: Vec<&str> = point.by_inputs.keys().map(String::as_str).collect();
    assert_eq!(sets, ["SWI", "SWI+T2w"]);
    for of_set in point.by_inputs.values() {
        of_set[&LesionClass::Cmb].validate().unwrap();
    }

    // One set, or sets without names, change nothing.
    let unnamed = chosen(&subjects(false));
    assert!(unnamed.by_inputs.is_empty());
    assert_eq!(unnamed.detection, point.detection);
}

#[test]
fn candidates_are_measured_at_one_threshold_where_that_is_all_that_is_asked() {
    let threshold = CandidateThreshold::find(0.5).unwrap();
    let heads: Vec<Head> = (1..=10).map(Head::new).collect();
    let at = |only: Option<CandidateThreshold>| {
        let subjects = heads.iter().map(|head| {
            let images = head.images();
            let (maps, truth) = (&head.maps, &head.truth);
            ValidationSubject::measured_at(only, maps, truth, None, None, Some(&images)).unwrap()
        });
        chosen(&subjects.collect::<Vec<_>>())
    };
    assert_eq!(at(Some(threshold)), at(None));
}

#[test]
fn scores_are_calibrated_by_class_and_keep_their_order() {
    let heads: Vec<Head> = (1..=10).map(Head::new).collect();
    let subjects: Vec<ValidationSubject> = heads.iter().map(|head| head.subject(true)).collect();
    let mut plain = chosen(&subjects).detection;
    // Nothing is accepted, so that nothing is withdrawn as the rim of something.
    plain.rule.classes.get_mut(&LesionClass::Cmb).unwrap().detection_threshold = 1.0;
    let head = Head::new(77);
    let images = head.images();
    let scores = |detection: &Detection| -> Vec<f32> {
        let scored = head.maps.score_candidates(detection, None, None, Some(&images)).unwrap();
        scored.candidates.iter().map(|candidate| candidate.score()).collect()
    };
    let before = scores(&plain);
    let calibration = Calibration { slope: 0.7, offset: -0.5 };
    let with = |class| Detection { calibration: [(class, calibration)].into(), ..plain.clone() };
    let after = scores(&with(LesionClass::Cmb));
    assert!(!before.is_empty());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(*after, calibration.apply(*before));
    }
    assert_eq!(scores(&with(LesionClass::Nhid)), before);
}
