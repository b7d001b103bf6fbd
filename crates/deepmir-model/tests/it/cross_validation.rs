//! Joining the models of the folds: each subject is read once, classifiers are trained out of fold or taken over.

use std::path::Path;

use deepmir_cases::{CaseFiles, Modality};
use deepmir_detect::candidate_classifier::Tree;
use deepmir_detect::operating_point::{MeasuredSubject, ThresholdChoice};
use deepmir_lesion::{LabelMap, Lesion, lesions_of};
use deepmir_model::cross_validation::{CrossValidation, Progress};
use deepmir_model::{Bundle, Detector, ModelError, adapt, tune};
use deepmir_net::DeviceChoice;
use deepmir_net::train::TrainingConfig;
use deepmir_volume::components::Connectivity;
use deepmir_volume::nifti::ReadOptions;
use tempfile::TempDir;

use crate::support::{fold_models, training, two_folds, write_subject};

const CONNECTIVITY: Connectivity = Connectivity::TwentySix;

/// Six subjects, a model for each of two folds, and how they were trained.
struct Study {
    folder: TempDir,
    folds: Vec<Vec<CaseFiles>>,
    models: Vec<Bundle>,
    config: TrainingConfig,
}

impl Study {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let folds = two_folds(folder.path());
        let models = fold_models(folder.path(), &folds);
        let config = training(folder.path(), &folds, 0).config;
        Self { folder, folds, models, config }
    }

    fn join(
        &self,
        init_from: Option<&Bundle>,
        config: &TrainingConfig,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Bundle, ModelError> {
        let cross_validation = CrossValidation {
            groups: &deepmir_cases::Groups::default(),
            models: &self.models,
            held_out: &self.folds,
            init_from,
            config,
            device: DeviceChoice::Cpu,
            read: &ReadOptions::default(),
            scratch: self.folder.path(),
        };
        cross_validation.run(progress)
    }

    /// With too few lesions for a patch classifier.
    fn few_lesions(&self) -> TrainingConfig {
        let mut config = self.config.clone();
        config.patch_classifier.as_mut().unwrap().min_lesions = 1000;
        config
    }

    fn remove_subject(&self, n: usize) {
        let case = self.folds.iter().flatten().nth(n).unwrap();
        for path in case.images.values().chain(&case.truth) {
            std::fs::remove_file(path).unwrap();
        }
    }

    fn restore_subjects(&self) {
        (1..7).for_each(|number| drop(write_subject(self.folder.path(), number)));
    }

    /// Names in the folder, to see that nothing is left behind.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn splits_on_patches(model: &Bundle) -> bool {
    let classifier = model.settings.candidate_classifier.as_ref().unwrap();
    classifier
        .split_shares()
        .iter()
        .any(|(feature, share)| feature.name().starts_with("patch-") && *share > 0.0)
}

fn rounds(model: &Bundle) -> Vec<Vec<Tree>> {
    model.settings.candidate_classifier.clone().unwrap().rounds
}

/// One study for all, as the networks take longest.
#[test]
fn folds_are_joined_to_one_model() {
    let study = Study::new();
    let joined = each_subject_is_read_once(&study);
    classifiers_of_the_initial_model_are_kept_with_too_few_lesions(&study, &joined);
    trees_split_only_on_a_patch_classifier_that_is_there(&study);
    images_that_are_lost_are_an_error_and_not_missing_features(&study, &joined);
    models_of_different_kinds_are_refused(&study);
    candidates_where_nobody_knows_are_not_measured(&joined);
    scores_are_calibrated_for_the_images_that_a_scan_has(&joined);
}

/// A native lesion that nobody labelled is no negative.
fn candidates_where_nobody_knows_are_not_measured(model: &Bundle) {
    let folder = tempfile::tempdir().unwrap();
    let case = write_subject(folder.path(), 8);
    let all = lesions_of(&LabelMap::read(case.truth.as_ref().unwrap()).unwrap().0, CONNECTIVITY);
    let mut detector = Detector::new(model.clone(), DeviceChoice::Cpu).unwrap();
    let before = detector.measure(&case, all.clone()).unwrap();
    let found = |measured: &MeasuredSubject, lesion: &Lesion| {
        let mut candidates = measured.scored.candidates.iter();
        candidates.any(|one| one.lesion.voxels.iter().any(|voxel| lesion.voxels.contains(voxel)))
    };
    assert!(all.iter().all(|lesion| found(&before, lesion)));

    let subject = deepmir_testing::write_subject(folder.path(), 8);
    let unknown = Some(deepmir_testing::forget_lesions(&subject, |n| n % 2 == 0));
    let known = lesions_of(&LabelMap::read(&subject.truth).unwrap().0, CONNECTIVITY);
    assert_eq!((all.len(), known.len()), (6, 3));
    let after = detector.measure(&CaseFiles { unknown, ..case }, known.clone()).unwrap();
    assert_eq!(after.features.len(), after.scored.candidates.len());
    for lesion in &all {
        assert_eq!(found(&after, lesion), known.contains(lesion));
    }
}

/// SWI alone is a view of every subject; the three lesions of a class in each of six are enough.
fn scores_are_calibrated_for_the_images_that_a_scan_has(model: &Bundle) {
    let points = &model.settings.operating_points;
    let sets: Vec<String> = points.iter().map(|point| point.images.join("+")).collect();
    for set in ["SWI", "SWI+QSM+T2w"] {
        assert!(sets.iter().any(|own| own == set), "no {set} in {sets:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut case = write_subject(folder.path(), 9);
    case.images.retain(|&modality, _| modality == Modality::Swi);
    let mut plain = model.clone();
    plain.settings.operating_points.clear();
    let detect = |model: &Bundle| {
        let mut detector = Detector::new(model.clone(), DeviceChoice::Cpu).unwrap();
        detector.detect(&case, &mut |_, _| {}).unwrap()
    };
    let (before, after) = (detect(&plain), detect(model));
    let point = model.settings.operating_point(&["SWI"]).unwrap();
    assert_eq!(after.operating_point.as_ref(), Some(point));
    assert_eq!(after.rule, point.rule(&model.settings.detection));
    assert_eq!((&before.operating_point, &before.rule), (&None, &model.settings.detection));
    let mut compared = 0;
    for (before, after) in before.candidates.iter().zip(&after.candidates) {
        let class = before.lesion.class;
        let (Some(own), true) =
            (point.classes.get(&class), before.score().min(after.score()) > 0.0)
        else {
            continue;
        };
        assert_eq!(after.score(), own.calibration.apply(before.score()), "{before:?}");
        compared += 1;
    }
    assert!(compared > 3, "{compared}");

    let mut detector = Detector::new(model.clone(), DeviceChoice::Cpu).unwrap();
    let cases: Vec<CaseFiles> = (20..24)
        .map(|number| {
            let mut case = write_subject(folder.path(), number);
            case.images.retain(|&modality, _| modality == Modality::Swi);
            case
        })
        .collect();
    let (tuned, classes) = tune(&mut detector, &cases, "four", 1.0, &mut |_| {}).unwrap();
    let [one] = &classes[..] else { unreachable!("{classes:?}") };
    assert_eq!((one.images.as_deref(), one.scans), (Some(&["SWI".to_owned()][..]), 4));
    assert_eq!(tuned.settings.detection, model.settings.detection);
    for (old, new) in points.iter().zip(&tuned.settings.operating_points) {
        assert_eq!(old.images, new.images);
        assert!(old == new || old.images == ["SWI"], "{new:?}");
    }
    let choice = ThresholdChoice::BestF { beta: 1.0 };
    let groups = deepmir_cases::Groups::default();
    let adapted = adapt(&mut detector, &cases, "four", choice, &groups, &mut |_| {}).unwrap();
    let kept = adapted.1.detection == model.settings.detection();
    assert_eq!(adapted.0.settings.operating_points.is_empty(), !kept);
}

/// Its files are gone as soon as it was predicted; patches are cut from what was kept.
fn each_subject_is_read_once(study: &Study) -> Bundle {
    let (mut predicted, mut steps) = (Vec::new(), Vec::new());
    let joined = study.join(None, &study.config, &mut |event| match event {
        Progress::Subjects(done) => {
            study.remove_subject(done - 1);
            predicted.push(done);
        }
        Progress::PatchClassifier { step, of } => steps.push((step, of)),
    });
    study.restore_subjects();
    let joined = joined.unwrap();
    assert_eq!(predicted, [1, 2, 3, 4, 5, 6]);
    assert_eq!((steps.len(), steps[0], steps[399]), (400, (1, 400), (400, 400)));
    assert!(!study.names().iter().any(|name| name.starts_with(".images")));

    assert_eq!((joined.members.len(), joined.patch_members.len()), (2, 2));
    assert_eq!(joined.members[0], study.models[0].members[0]);
    assert_eq!(joined.settings.patch_classifier.as_ref().unwrap().weights.len(), 2);
    assert!(splits_on_patches(&joined));
    let provenance = &joined.settings.provenance;
    let six: Vec<String> = (1..7).map(|number| format!("sub-{number:02}")).collect();
    assert_eq!(provenance.validation_subjects, six);
    assert_eq!(provenance.training_subjects, [six, vec!["sub-12".to_owned()]].concat());
    assert!(provenance.validation_f1 > 0.3, "{}", provenance.validation_f1);

    joined
}

fn classifiers_of_the_initial_model_are_kept_with_too_few_lesions(study: &Study, joined: &Bundle) {
    let few = study.few_lesions();
    let tuned = study
        .join(Some(joined), &few, &mut |event| match event {
            Progress::Subjects(done) => study.remove_subject(done - 1),
            Progress::PatchClassifier { .. } => {}
        })
        .unwrap();
    study.restore_subjects();
    assert_eq!(tuned.patch_members, joined.patch_members);
    assert_eq!(tuned.settings.patch_classifier, joined.settings.patch_classifier);
    assert!(splits_on_patches(&tuned));
    let data = &tuned.settings.provenance.data;
    let kept = ["; patch classifier of test", "; candidate classifier of test"];
    assert!(kept.iter().any(|kept| data.ends_with(kept)), "{data}");

    // Four subjects are too few to fit a candidate classifier, and one to validate on can only keep it.
    for (held_out, models) in [(vec![2, 2], 2), (vec![1], 1)] {
        let folds = study.folds.iter().zip(&held_out);
        let folds: Vec<Vec<CaseFiles>> = folds.map(|(fold, &n)| fold[..n].to_vec()).collect();
        let cross_validation = CrossValidation {
            groups: &deepmir_cases::Groups::default(),
            models: &study.models[..models],
            held_out: &folds,
            init_from: Some(joined),
            config: &few,
            device: DeviceChoice::Cpu,
            read: &ReadOptions::default(),
            scratch: study.folder.path(),
        };
        let tuned = cross_validation.run(&mut |_| {}).unwrap();
        assert_eq!(tuned.members.len(), models);
        assert!(rounds(&tuned).starts_with(&rounds(joined)));
        assert!(models > 1 || rounds(&tuned) == rounds(joined));
        let data = &tuned.settings.provenance.data;
        assert!(data.ends_with("; candidate classifier of test"), "{data}");
    }
}

/// A candidate classifier that was fitted without a patch classifier must not be continued with the log-odds of another.
fn trees_split_only_on_a_patch_classifier_that_is_there(study: &Study) {
    let plain = study.join(None, &study.few_lesions(), &mut |_| {}).unwrap();
    assert!(plain.patch_members.is_empty() && plain.settings.patch_classifier.is_none());
    assert!(!splits_on_patches(&plain));
    let tuned = study.join(Some(&plain), &study.config, &mut |_| {}).unwrap();
    assert_eq!(splits_on_patches(&tuned), !tuned.patch_members.is_empty());
}

fn images_that_are_lost_are_an_error_and_not_missing_features(study: &Study, joined: &Bundle) {
    let lost = study.join(Some(joined), &study.config, &mut |event| {
        if event == Progress::Subjects(6) {
            let stored = study.names().into_iter().find(|name| name.starts_with(".images"));
            std::fs::write(study.folder.path().join(stored.unwrap()).join("3"), b"short").unwrap();
        }
    });
    let error = lost.unwrap_err().to_string();
    assert!(error.contains("truncated"), "{error}");

    let absent = study.folder.path().join("absent");
    let cross_validation = CrossValidation {
        groups: &deepmir_cases::Groups::default(),
        models: &study.models,
        held_out: &study.folds,
        init_from: None,
        config: &study.config,
        device: DeviceChoice::Cpu,
        read: &ReadOptions::default(),
        scratch: Path::new(&absent),
    };
    let error = cross_validation.run(&mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("absent"), "{error}");
}

fn models_of_different_kinds_are_refused(study: &Study) {
    let run = |models: &[Bundle], init_from: Option<&Bundle>| {
        let cross_validation = CrossValidation {
            groups: &deepmir_cases::Groups::default(),
            models,
            held_out: &study.folds,
            init_from,
            config: &study.config,
            device: DeviceChoice::Cpu,
            read: &ReadOptions::default(),
            scratch: study.folder.path(),
        };
        let mut predicted = 0;
        let outcome = cross_validation.run(&mut |_| predicted += 1);
        assert_eq!(predicted, 0, "known before minutes of prediction");
        outcome.unwrap_err().to_string()
    };
    assert!(run(&[], None).contains("no folds"));
    let mut models = study.models.clone();
    models[1].settings.plan.context_slices = 5;
    assert!(run(&models, None).contains("different kinds"));

    let mut odd = study.models[0].clone();
    odd.settings.candidate_classifier =
        Bundle::read(&crate::support::fixture("format-3")).unwrap().settings.candidate_classifier;
    odd.settings.detection.candidate_threshold = 0.45;
    assert!(run(&study.models, Some(&odd)).contains("0.45"));
}
