//! Second looks: against scikit-learn, and on drawn bleeds and vessels.

use std::path::PathBuf;

use deepmir_detect::operating_point::{
    Judged, LookedAt, ValidationSubject, adapt, choose, choose_at, go_on,
};
use deepmir_detect::candidate_classifier::{
    PatchClassifier, Example, Feature, Features, ClassLogOdds, CandidateClassifier, CandidateImages, fit,
};
use deepmir_detect::{DetectionRule, ProbabilityMaps};
use deepmir_lesion::{LabelMap, LesionClass, lesions_of};
use deepmir_volume::components::Connectivity;
use deepmir_volume::{Affine, Grid, Mask, Volume};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    /// Not all were measured.
    values: Vec<[Option<f64>; 3]>,
    kinds: Vec<usize>,
    weights: Vec<f64>,
    probabilities: Vec<[f64; 3]>,
}

const NAMES: [Feature; 3] = [Feature::Volume, Feature::T2wSpread, Feature::Depth];

#[test]
fn probabilities_are_those_of_scikit_learn() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/candidate_classifier.json");
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
        .zip(fixture.kinds.iter().zip(&fixture.weights))
        .map(|(features, (&kind, &weight))| Example { features, truth: truths[kind], weight })
        .collect();
    let look = fit(&examples, &LesionClass::ALL).unwrap();
    assert_eq!(look.fault(), None);
    assert_eq!(look.features, NAMES);
    for (features, expected) in features.iter().zip(&fixture.probabilities) {
        for (found, expected) in look.probabilities(features).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found} for {expected}");
        }
    }
    // Nothing to learn a class from.
    let without: Vec<Example<'_>> =
        examples.into_iter().filter(|example| example.truth != truths[2]).collect();
    assert!(fit(&without, &LesionClass::ALL).is_none());
    assert!(fit(&without, &[LesionClass::Cmb]).is_some());
}

#[test]
fn trees_that_were_damaged_are_told() {
    let values = |n: usize| Features::from_values(vec![(Feature::Volume, n as f64)]);
    let features: Vec<Features> = (0..80).map(values).collect();
    let examples = features.iter().enumerate().map(|(n, features)| {
        let truth = (n % 40 > 20).then_some(LesionClass::Cmb);
        Example { features, truth, weight: 1.0 }
    });
    let look = fit(&examples.collect::<Vec<_>>(), &[LesionClass::Cmb]).unwrap();
    assert!(look.fault().is_none() && look.probabilities(&features[30])[1] > 0.9);
    let damaged = |damage: &dyn Fn(&mut CandidateClassifier)| {
        let mut look = look.clone();
        damage(&mut look);
        look.fault().is_some()
    };
    assert!(damaged(&|look| look.rounds[3].truncate(1)));
    assert!(damaged(&|look| look.rounds[0][1].below[0] = 0));
    assert!(damaged(&|look| look.rounds[0][1].above[0] = !99));
    assert!(damaged(&|look| look.rounds[0][1].column[0] = 1));
    assert!(damaged(&|look| look.rounds[0][1].leaves[0] = f32::NAN));
    assert!(damaged(&|look| look.rounds[0][1].threshold.clear()));
    assert!(damaged(&|look| look.offsets.clear()));
}

/// A brain of 60 mm across with four bleeds in tissue and four vessels in fluid, all of them as
/// probable as can be; drawn anew by the seed.
#[derive(Debug)]
struct Head {
    maps: ProbabilityMaps,
    truth: LabelMap,
    swi: Volume<f32>,
    t2w: Volume<f32>,
    brain: Mask,
}

impl Head {
    fn new(seed: u32) -> Self {
        let affine = Affine::from_spacing([1.0, 1.0, 1.5], [-30.0, -30.0, -24.0]);
        let grid = Grid::new([60, 60, 32], affine).unwrap();
        let within = |voxel: [usize; 3], centre: [f64; 3], mm: f64| {
            let place = grid.position_mm(voxel);
            (0..3).map(|axis| (place[axis] - centre[axis]).powi(2)).sum::<f64>() <= mm * mm
        };
        let mut state = seed;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24) - 0.5
        };
        let brain = Volume::from_fn(grid, |voxel| within(voxel, [0.0; 3], 22.0));
        let mut truth = LabelMap::empty(grid);
        let mut map = Volume::filled(grid, 0.0);
        let mut swi = Volume::from_fn(grid, |_| random() as f32);
        let mut t2w = Volume::from_fn(grid, |_| random() as f32);
        let corners = [[-9.0, -9.0], [-9.0, 9.0], [9.0, -9.0], [9.0, 9.0]];
        for (n, [x, y]) in corners.into_iter().enumerate() {
            for (vessel, z) in [(false, -8.0), (true, 8.0)] {
                let centre = [x + 4.0 * random(), y + 4.0 * random(), z + 4.0 * random()];
                for index in 0..grid.len() {
                    let voxel = grid.voxel(index);
                    if vessel && within(voxel, centre, 4.0) {
                        t2w.data_mut()[index] += 5.0;
                    }
                    if within(voxel, centre, 1.8 + 0.2 * n as f64) {
                        map.data_mut()[index] = 1.0;
                        swi.data_mut()[index] -= 5.0;
                        t2w.data_mut()[index] = -2.0;
                        if !vessel {
                            truth.paint(&[index], LesionClass::Cmb);
                        }
                    } else if within(voxel, centre, 3.0) {
                        map.data_mut()[index] = 0.3;
                    }
                }
            }
        }
        let maps = ProbabilityMaps::new(vec![(LesionClass::Cmb, map)]).unwrap();
        Self { maps, truth, swi, t2w, brain }
    }

    fn around(&self) -> CandidateImages<'_> {
        CandidateImages::new(&self.brain, Some(&self.swi), None, Some(&self.t2w))
    }

    fn subject(&self, images: bool) -> ValidationSubject {
        let around = self.around();
        ValidationSubject::new(&self.maps, &self.truth, None, images.then_some(&around))
    }
}

#[test]
fn vessels_in_fluid_are_told_from_bleeds_in_tissue() {
    let heads: Vec<Head> = (1..=10).map(Head::new).collect();
    let subjects = |images| heads.iter().map(|head| head.subject(images)).collect::<Vec<_>>();
    let classes = [LesionClass::Cmb];
    // By peaks alone half of what is found is vessels.
    let plain = choose(&subjects(false), &classes, 1.0);
    assert!(plain.rule.candidate_classifier.is_none() && plain.rule.mask_threshold.is_none());
    assert!((plain.mean_f1() - 2.0 / 3.0).abs() < 1e-9, "{}", plain.mean_f1());
    // Too few subjects for a second look.
    assert!(choose(&subjects(true)[..4], &classes, 1.0).rule.candidate_classifier.is_none());

    let point = choose(&subjects(true), &classes, 1.0);
    assert_eq!(point.mean_f1(), 1.0);
    let head = Head::new(77);
    let around = head.around();
    let (labels, found) = head.maps.detect(&point.rule, Some(&head.brain), Some(&around));
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|candidate| candidate.score() > 0.5));
    // Neither the faint rim nor anything else is painted.
    assert_eq!(labels.volume(), head.truth.volume());
    // The same rule from the file that a model keeps it in.
    let text = serde_json::to_string(&point.rule).unwrap();
    let again = serde_json::from_str(&text).unwrap();
    assert_eq!(head.maps.detect(&again, Some(&head.brain), Some(&around)).1.len(), 4);
}

/// As another scanner shows it: fluid is dark.
fn elsewhere(seed: u32) -> Head {
    let mut head = Head::new(seed);
    head.t2w = head.t2w.map(|value| -value);
    head
}

fn looked_at(head: &Head, rule: &DetectionRule) -> LookedAt {
    let truth = lesions_of(&head.truth, Connectivity::TwentySix);
    let (candidates, features) = head.maps.looked_at(rule, Some(&head.brain), Some(&head.around()));
    LookedAt { judged: Judged { truth, candidates }, features, deep: None }
}

#[test]
fn a_second_look_goes_on_learning_where_images_are_other_ones() {
    let heads: Vec<Head> = (1..=10).map(Head::new).collect();
    let subjects: Vec<ValidationSubject> = heads.iter().map(|head| head.subject(true)).collect();
    let rule = choose(&subjects, &[LesionClass::Cmb], 1.0).rule;
    let there: Vec<Head> = (21..=28).map(elsewhere).collect();
    let looked_at: Vec<LookedAt> = there.iter().map(|head| looked_at(head, &rule)).collect();
    let adapted = adapt(&rule, &looked_at, 1.0).unwrap();
    assert!(adapted.rounds > 0 && adapted.loss_after < 0.5 * adapted.loss_before, "{adapted:?}");
    let [cmb] = adapted.classes.as_slice() else { panic!("one class is told") };
    let f1 = |at: deepmir_detect::operating_point::AtThreshold| at.f1(cmb.lesions).unwrap();
    assert!(f1(cmb.before) < 0.8 && f1(cmb.after) > 0.95, "{cmb:?}");
    let head = elsewhere(77);
    let found = |rule: &DetectionRule| {
        head.maps.detect(rule, Some(&head.brain), Some(&head.around())).0.volume().clone()
    };
    assert_ne!(&found(&rule), head.truth.volume());
    assert_eq!(&found(&adapted.rule), head.truth.volume());
    // One subject is too few to tell whether that helps others.
    assert!(adapt(&rule, &looked_at[..1], 1.0).is_none());
    assert!(adapt(&DetectionRule { candidate_classifier: None, ..rule.clone() }, &looked_at, 1.0).is_none());

    // The same from what a cross-validation keeps of its subjects, all candidates of an extent being there.
    let subjects: Vec<ValidationSubject> = there.iter().map(|head| head.subject(true)).collect();
    let point = go_on(&rule, &subjects, 1.0).unwrap();
    assert_eq!(point.f1, [(LesionClass::Cmb, Some(f1(cmb.after)))]);
    assert_eq!(&found(&point.rule), head.truth.volume());
    let stays = go_on(&rule, &subjects[..1], 1.0).unwrap().rule;
    assert_eq!(stays.candidate_classifier, rule.candidate_classifier);
    let without_images = there[0].subject(false);
    assert!(go_on(&rule, &[without_images], 1.0).is_none());
}

#[test]
fn dark_spots_that_the_network_overlooked_are_looked_at() {
    let missed_lesions = |seed: u32| {
        let mut head = Head::new(seed);
        let nothing = Volume::filled(*head.maps.grid(), 0.0);
        head.maps = ProbabilityMaps::new(vec![(LesionClass::Cmb, nothing)]).unwrap();
        head
    };
    let heads: Vec<Head> = (1..=10).map(missed_lesions).collect();
    let subjects: Vec<ValidationSubject> = heads.iter().map(|head| head.subject(true)).collect();
    let point = choose(&subjects, &[LesionClass::Cmb], 1.0);
    assert!(point.rule.spots && point.rule.dark_spots);
    assert!(point.mean_f1() > 0.95, "{}", point.mean_f1());
    let head = missed_lesions(77);
    let found = |rule: &DetectionRule| {
        let (labels, found) = head.maps.detect(rule, Some(&head.brain), Some(&head.around()));
        let bleeds = labels.volume().data().iter().zip(head.truth.volume().data());
        (found.len(), bleeds.filter(|&(&found, &bleed)| found > 0 && bleed > 0).count() > 0)
    };
    assert_eq!(found(&point.rule), (4, true));
    // Without a susceptibility map, as earlier models know spots, there are none.
    assert_eq!(found(&DetectionRule { dark_spots: false, ..point.rule }), (0, false));
}

/// Knows where the bleeds are.
#[derive(Debug)]
struct Knowing<'a>(&'a Head);

impl PatchClassifier for Knowing<'_> {
    fn log_odds(&self, places_mm: &[[f64; 3]]) -> Vec<ClassLogOdds> {
        let grid = self.0.truth.grid();
        let is_bleed = |place: &[f64; 3]| {
            let voxel = grid.affine().inverse().apply(*place).map(|at| at.round() as usize);
            self.0.truth.class_at(grid.index(voxel)).is_some()
        };
        let odds = |place| if is_bleed(place) { 3.0 } else { -3.0 };
        places_mm.iter().map(|place| vec![(LesionClass::Cmb, odds(place))]).collect()
    }
}

#[test]
fn a_closer_look_is_asked_where_nothing_else_tells() {
    // Bleeds and vessels look alike, and in half of the heads the vessels are the bleeds.
    let blind = |seed: u32| {
        let mut head = Head::new(seed);
        let map = head.maps.iter().next().unwrap().1.clone();
        head.t2w = Volume::filled(*map.grid(), 0.0);
        head.swi = map.map(|probability| -probability);
        if seed % 2 == 1 {
            let other = |&n: &usize| map.data()[n] == 1.0 && head.truth.class_at(n).is_none();
            let others: Vec<usize> = (0..map.grid().len()).filter(other).collect();
            head.truth = LabelMap::empty(*map.grid());
            head.truth.paint(&others, LesionClass::Cmb);
        }
        head
    };
    let heads: Vec<Head> = (1..=10).map(blind).collect();
    let classes = [LesionClass::Cmb];
    let mut subjects: Vec<ValidationSubject> =
        heads.iter().map(|head| head.subject(true)).collect();
    let extent = 0.5;
    let without = choose_at(extent, &subjects, &classes, 1.0);
    for (subject, head) in subjects.iter_mut().zip(&heads) {
        let sites = subject.sites(extent, None);
        assert_eq!((sites.len(), subject.missed_lesions(extent).len()), (8, 0));
        assert_eq!(sites.iter().filter(|site| site.truth.is_some()).count(), 4);
        let places: Vec<[f64; 3]> = sites.iter().map(|site| site.centre_mm).collect();
        subject.look_closer(extent, None, &Knowing(head).log_odds(&places));
    }
    let point = choose_at(extent, &subjects, &classes, 1.0);
    assert_eq!((point.rule.candidate_threshold, point.mean_f1()), (extent, 1.0));
    assert!(without.mean_f1() < 0.8, "{}", without.mean_f1());
    assert!(!asks(&without.rule) && asks(&point.rule));

    let head = blind(77);
    let knowing = Knowing(&head);
    let around = head.around().with_patch_scorer(&knowing);
    let (labels, found) = head.maps.detect(&point.rule, Some(&head.brain), Some(&around));
    assert_eq!((found.len(), labels.volume()), (4, head.truth.volume()));
}

fn asks(rule: &DetectionRule) -> bool {
    let asked = rule.candidate_classifier.as_ref().unwrap().asked();
    asked.iter().any(|(feature, share)| *feature == Feature::PatchCmb && *share > 0.0)
}

#[test]
fn a_candidate_is_measured_alike_on_another_grid() {
    let head = Head::new(5);
    let around = head.around();
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
        let one = Features::of(one, &head.maps, &around);
        let other = Features::of(other, &doubled, &around);
        assert_eq!(one.iter().count(), other.iter().count());
        for ((feature, a), (_, b)) in one.iter().zip(other.iter()) {
            assert!((a - b).abs() < 0.06, "{feature:?}: {a} and {b}");
        }
    }
}
