//! Fine-tuning a candidate classifier on labelled scans of another kind.

use deepmir_detect::Detection;
use deepmir_detect::operating_point::{
    MeasuredSubject, ScoredSubject, ThresholdChoice, ThresholdCounts, ValidationSubject, adapt,
    choose, warm_started,
};
use deepmir_lesion::{Lesion, LesionClass, lesions_of};
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
        scored: ScoredSubject { truth, candidates: scored.candidates, unknown: Vec::new() },
        features: scored.features,
        unknown_features: Vec::new(),
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
    let best = ThresholdChoice::BestF { beta: 1.0 };
    let adapted = adapt(&detection, &scans, best).unwrap();
    assert!(adapted.rounds > 0 && adapted.loss_after < 0.5 * adapted.loss_before, "{adapted:?}");
    let [cmb] = adapted.classes.as_slice() else { panic!("one class is predicted") };
    let f1 = |at: ThresholdCounts| at.f1(cmb.lesions).unwrap();
    assert!(f1(cmb.before) < 0.8 && f1(cmb.after) > 0.95, "{cmb:?}");
    let head = on_another_scanner(77);
    assert_ne!(&head.detected(&detection), head.truth.volume());
    assert_eq!(&head.detected(&adapted.detection), head.truth.volume());
    // With one subject nothing says whether fine-tuning helps others.
    assert!(adapt(&detection, &scans[..1], best).is_none());
    let unclassified = Detection { classifier: None, ..detection.clone() };
    // Without a classifier, its first one is fitted to the scans.
    let first = adapt(&unclassified, &scans, best).unwrap();
    assert!(first.detection.classifier.is_some() && f1(first.classes[0].after) > 0.9, "{first:?}");
    assert!(adapt(&unclassified, &scans[..1], best).is_none());

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

/// Half of the lesions are implants, of the others nobody knows.
fn half_unknown(mut subject: MeasuredSubject) -> MeasuredSubject {
    let native = subject.scored.truth.split_off(2);
    let candidates = std::mem::take(&mut subject.scored.candidates).into_iter();
    for (candidate, features) in candidates.zip(std::mem::take(&mut subject.features)) {
        let overlaps = |lesion: &Lesion| {
            candidate.lesion.voxels.iter().any(|voxel| lesion.voxels.contains(voxel))
        };
        if native.iter().any(overlaps) {
            subject.scored.unknown.push(candidate);
            subject.unknown_features.push(features);
        } else {
            subject.scored.candidates.push(candidate);
            subject.features.push(features);
        }
    }
    subject
}

#[test]
fn on_implants_a_classifier_is_compared_at_the_same_number_of_other_calls() {
    let heads: Vec<Head> = (1..=10).map(Head::new).collect();
    let subjects: Vec<ValidationSubject> = heads.iter().map(|head| head.subject(true)).collect();
    let detection = choose(&subjects, &[LesionClass::Cmb], 1.0).detection;
    let scans = |head: fn(u32) -> Head| -> Vec<MeasuredSubject> {
        (21..=28).map(|seed| half_unknown(measured(&head(seed), &detection))).collect()
    };
    let others = scans(on_another_scanner);
    let adapted = adapt(&detection, &others, ThresholdChoice::SameCalls).unwrap();
    let [cmb] = adapted.classes.as_slice() else { panic!("one class is predicted") };
    let calls = |at: ThresholdCounts| at.found - at.matched + at.unknown;
    assert_eq!(cmb.lesions, 16);
    assert!(calls(cmb.after) <= calls(cmb.before), "{cmb:?}");
    assert!(adapted.rounds > 0 && cmb.after.matched > cmb.before.matched, "{cmb:?}");

    // On the scanner that it learned from there is nothing to gain.
    let same = adapt(&detection, &scans(Head::new), ThresholdChoice::SameCalls).unwrap();
    assert_eq!((same.rounds, &same.detection), (0, &detection));
    assert!(same.classes.iter().all(|class| class.after == class.before));
}
