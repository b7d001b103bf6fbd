//! The candidate classifier: against scikit-learn, and on synthetic microbleeds and vessels.

use std::path::PathBuf;

use deepmir_detect::candidate_classifier::{Example, Feature, Features, fit};
use deepmir_detect::operating_point::choose;
use deepmir_detect::{CandidateClassifier, Detection, ProbabilityMaps};
use deepmir_lesion::LesionClass;
use deepmir_volume::{Affine, Grid, Volume};
use serde::Deserialize;

use crate::head::Head;

#[derive(Deserialize)]
struct Fixture {
    /// Some are missing.
    values: Vec<[Option<f64>; 3]>,
    outputs: Vec<usize>,
    weights: Vec<f64>,
    probabilities: Vec<[f64; 3]>,
}

const NAMES: [Feature; 3] = [Feature::Volume, Feature::T2wSpread, Feature::Depth];

#[test]
fn probabilities_are_those_of_scikit_learn() {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/candidate_classifier.json");
    let fixture: Fixture = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let measured = |values: &[Option<f64>; 3]| {
        let values = NAMES.into_iter().zip(*values);
        values.filter_map(|(name, value)| Some((name, value?))).collect()
    };
    let features: Vec<Features> =
        fixture.values.iter().map(|values| Features::from_values(measured(values))).collect();
    let truths = [None, Some(LesionClass::Cmb), Some(LesionClass::Nhid)];
    let examples: Vec<Example<'_>> = features
        .iter()
        .zip(fixture.outputs.iter().zip(&fixture.weights))
        .map(|(features, (&output, &weight))| Example { features, truth: truths[output], weight })
        .collect();
    let classifier = fit(&examples, &LesionClass::ALL).unwrap();
    classifier.validate().unwrap();
    assert_eq!(classifier.features, NAMES);
    for (features, expected) in features.iter().zip(&fixture.probabilities) {
        for (found, expected) in classifier.probabilities(features).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found} for {expected}");
        }
    }
    // A class without examples cannot be fitted.
    let without: Vec<Example<'_>> =
        examples.into_iter().filter(|example| example.truth != truths[2]).collect();
    assert!(fit(&without, &LesionClass::ALL).is_none());
    assert!(fit(&without, &[LesionClass::Cmb]).is_some());
}

#[test]
fn damaged_trees_are_invalid() {
    let values = |n: usize| Features::from_values(vec![(Feature::Volume, n as f64)]);
    let features: Vec<Features> = (0..80).map(values).collect();
    let examples = features.iter().enumerate().map(|(n, features)| {
        let truth = (n % 40 > 20).then_some(LesionClass::Cmb);
        Example { features, truth, weight: 1.0 }
    });
    let sound = fit(&examples.collect::<Vec<_>>(), &[LesionClass::Cmb]).unwrap();
    sound.validate().unwrap();
    assert!(sound.probabilities(&features[30])[1] > 0.9);
    let is_invalid = |damage: &dyn Fn(&mut CandidateClassifier)| {
        let mut classifier = sound.clone();
        damage(&mut classifier);
        classifier.validate().is_err()
    };
    assert!(is_invalid(&|classifier| classifier.rounds[3].truncate(1)));
    assert!(is_invalid(&|classifier| classifier.rounds[0][1].left[0] = 0));
    assert!(is_invalid(&|classifier| classifier.rounds[0][1].right[0] = !99));
    assert!(is_invalid(&|classifier| classifier.rounds[0][1].column[0] = 1));
    assert!(is_invalid(&|classifier| classifier.rounds[0][1].leaves[0] = f32::NAN));
    assert!(is_invalid(&|classifier| classifier.rounds[0][1].threshold.clear()));
    assert!(is_invalid(&|classifier| classifier.offsets.clear()));
}

#[test]
fn vessels_in_fluid_are_separated_from_microbleeds_in_tissue() {
    let heads: Vec<Head> = (1..=10).map(Head::new).collect();
    let subjects = |images| heads.iter().map(|head| head.subject(images)).collect::<Vec<_>>();
    let classes = [LesionClass::Cmb];
    // By the peaks of the map alone half of the detections are vessels.
    let plain = choose(&subjects(false), &classes, 1.0);
    assert!(plain.detection.classifier.is_none() && plain.detection.rule.mask_threshold.is_none());
    assert!((plain.mean_f1() - 2.0 / 3.0).abs() < 1e-9, "{}", plain.mean_f1());
    // Too few subjects for a candidate classifier.
    assert!(choose(&subjects(true)[..4], &classes, 1.0).detection.classifier.is_none());

    let point = choose(&subjects(true), &classes, 1.0);
    assert_eq!(point.mean_f1(), 1.0);
    let head = Head::new(77);
    let images = head.images();
    let (labels, found) =
        head.maps.detect(&point.detection, Some(&head.brain), Some(&images)).unwrap();
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|candidate| candidate.score() > 0.5));
    // The mask threshold leaves out the faint rim.
    assert_eq!(labels.volume(), head.truth.volume());
    // The same detection after a round trip through JSON.
    let rule = serde_json::to_string(&point.detection.rule).unwrap();
    let classifier = serde_json::to_string(&point.detection.classifier).unwrap();
    let stored = Detection {
        rule: serde_json::from_str(&rule).unwrap(),
        classifier: serde_json::from_str(&classifier).unwrap(),
        ..point.detection.clone()
    };
    let (_, found) = head.maps.detect(&stored, Some(&head.brain), Some(&images)).unwrap();
    assert_eq!(found.len(), 4);
}

#[test]
fn a_candidate_has_the_same_features_on_another_grid() {
    let head = Head::new(5);
    let images = head.images();
    let fine =
        Grid::new([120, 120, 32], Affine::from_spacing([0.5, 0.5, 1.5], [-30.25, -30.25, -24.0]));
    let fine = fine.unwrap();
    let (_, map) = head.maps.iter().next().unwrap();
    let doubled =
        Volume::from_fn(fine, |[i, j, k]| map.data()[map.grid().index([i / 2, j / 2, k])]);
    let doubled = ProbabilityMaps::new(vec![(LesionClass::Cmb, doubled)]).unwrap();
    let coarse = head.maps.candidates(0.5, None, None);
    let found = doubled.candidates(0.5, None, None);
    assert_eq!((coarse.len(), found.len()), (8, 8));
    for (one, other) in coarse.iter().zip(&found) {
        let one = Features::of(one, &head.maps, &images);
        let other = Features::of(other, &doubled, &images);
        assert_eq!(one.iter().count(), other.iter().count());
        for ((feature, a), (_, b)) in one.iter().zip(other.iter()) {
            assert!((a - b).abs() < 0.06, "{feature:?}: {a} and {b}");
        }
    }
}

/// Models store features by name: these names must not change.
#[test]
fn features_are_stored_under_the_names_of_model_format_4() {
    for (feature, name) in [
        (Feature::NeighbourProbability, "neighbour-probability"),
        (Feature::MidlineDistance, "midline-distance"),
        (Feature::AnteriorPosterior, "anterior-posterior"),
        (Feature::InferiorSuperior, "inferior-superior"),
        (Feature::SwiBlob, "swi-blob"),
        (Feature::ChiBlob, "chi-blob"),
        (Feature::T2wBlob, "t2w-blob"),
        (Feature::PatchCmb, "patch-cmb"),
        (Feature::PatchNhid, "patch-nhid"),
        (Feature::T2wLowest, "t2w-lowest"),
    ] {
        assert_eq!(feature.name(), name);
        assert_eq!(serde_json::to_string(&feature).unwrap(), format!("{name:?}"));
    }
}
