//! Fine-tuning a candidate classifier on labelled scans of another kind.

use deepmir_detect::Detection;
use deepmir_detect::operating_point::{
    MeasuredSubject, ScoredSubject, ThresholdCounts, ValidationSubject, adapt, choose, warm_started,
};
use deepmir_lesion::{LesionClass, lesions_of};
use deepmir_volume::components::Connectivity;

use crate::head::Head;

/// A head on another scanner, where fluid is dark in T2w.
fn on_another_scanner(seed: u32) -> Head {
    let mut head = Head::new(seed);
    head.t2w = head.t2w.map(|value| -value);
    head
}

fn measured(head: &Head, detection: &Detection) -> MeasuredSubject {
    let truth = lesions_of(&head.truth, Connectivity::TwentySix);
    let images = head.images();
    let scored =
        head.maps.score_candidates(detection, Some(&head.brain), None, Some(&images)).unwrap();
    MeasuredSubject {
        scored: ScoredSubject { truth, candidates: scored.candidates },
        features: scored.features,
        extent: None,
        group: None,
    }
}

#[test]
fn a_classifier_is_fine_tuned_to_images_of_another_kind() {
    let heads: Vec<Head> = (1..=10).map(Head::new).collect();
    let subjects: Vec<ValidationSubject> = heads.iter().map(|head| head.subject(true)).collect();
    let detection = choose(&subjects, &[LesionClass::Cmb], 1.0).detection;
    let others: Vec<Head> = (21..=28).map(on_another_scanner).collect();
    let scans: Vec<MeasuredSubject> =
        others.iter().map(|head| measured(head, &detection)).collect();
    let adapted = adapt(&detection, &scans, 1.0).unwrap();
    assert!(adapted.rounds > 0 && adapted.loss_after < 0.5 * adapted.loss_before, "{adapted:?}");
    let [cmb] = adapted.classes.as_slice() else { panic!("one class is predicted") };
    let f1 = |at: ThresholdCounts| at.f1(cmb.lesions).unwrap();
    assert!(f1(cmb.before) < 0.8 && f1(cmb.after) > 0.95, "{cmb:?}");
    let head = on_another_scanner(77);
    assert_ne!(&head.detected(&detection), head.truth.volume());
    assert_eq!(&head.detected(&adapted.detection), head.truth.volume());
    // With one subject nothing says whether fine-tuning helps others.
    assert!(adapt(&detection, &scans[..1], 1.0).is_none());
    let unclassified = Detection { classifier: None, ..detection.clone() };
    assert!(adapt(&unclassified, &scans, 1.0).is_none());

    // The same from the validation subjects of a training that began with this detection.
    let subjects: Vec<ValidationSubject> = others.iter().map(|head| head.subject(true)).collect();
    let point = warm_started(&detection, &subjects, 1.0).unwrap().unwrap();
    assert_eq!(point.f1, [(LesionClass::Cmb, Some(f1(cmb.after)))]);
    assert_eq!(&head.detected(&point.detection), head.truth.volume());
    let unchanged = warm_started(&detection, &subjects[..1], 1.0).unwrap().unwrap().detection;
    assert_eq!(unchanged.classifier, detection.classifier);
    let without_images = others[0].subject(false);
    assert!(warm_started(&detection, &[without_images], 1.0).unwrap().is_none());
    assert!(warm_started(&unclassified, &subjects, 1.0).unwrap().is_none());
}
