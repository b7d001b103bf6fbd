//! Blobs of the images that the network missed.

use deepmir_detect::operating_point::{ValidationSubject, choose};
use deepmir_detect::{Blobs, Detection, DetectionRule, ProbabilityMaps};
use deepmir_lesion::LesionClass;
use deepmir_volume::Volume;

use crate::head::Head;

/// A head in which the network marks nothing.
fn unmarked(seed: u32) -> Head {
    let mut head = Head::new(seed);
    let nothing = Volume::filled(*head.maps.grid(), 0.0);
    head.maps = ProbabilityMaps::new(vec![(LesionClass::Cmb, nothing)]).unwrap();
    head
}

#[test]
fn dark_blobs_that_the_network_missed_are_candidates() {
    let heads: Vec<Head> = (1..=10).map(unmarked).collect();
    let subjects: Vec<ValidationSubject> = heads.iter().map(|head| head.subject(true)).collect();
    let point = choose(&subjects, &[LesionClass::Cmb], 1.0);
    assert_eq!(point.detection.rule.blobs, Blobs::SwiQsm);
    assert!(point.mean_f1() > 0.95, "{}", point.mean_f1());
    let head = unmarked(77);
    let images = head.images();
    let found = |detection: &Detection| {
        let (labels, found) =
            head.maps.detect(detection, Some(&head.brain), Some(&images)).unwrap();
        let pairs = labels.volume().data().iter().zip(head.truth.volume().data());
        (found.len(), pairs.filter(|&(&found, &truth)| found > 0 && truth > 0).count() > 0)
    };
    assert_eq!(found(&point.detection), (4, true));
    // There is no susceptibility map to find bright blobs in.
    let rule = DetectionRule { blobs: Blobs::Qsm, ..point.detection.rule };
    assert_eq!(found(&Detection { rule, ..point.detection }), (0, false));
}
