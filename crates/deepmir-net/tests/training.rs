//! Whole trainings on a small synthetic cohort: they learn, and interrupting them changes nothing.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deepmir_cases::{CaseFiles, Modality};
use deepmir_lesion::LesionClass;
use deepmir_net::infer::{InferenceOptions, networks, probability_maps};
use deepmir_net::train::{Event, SyntheticStream, SyntheticSubjects, Training};
use deepmir_net::{DeviceChoice, NetError, Precision, Prepared, Weights, preset};
use deepmir_volume::nifti::ReadOptions;

fn write_subject(folder: &Path, number: u32) -> CaseFiles {
    let subject = deepmir_testing::write_subject(folder, number);
    CaseFiles {
        id: subject.id,
        images: BTreeMap::from([
            (Modality::Swi, subject.swi),
            (Modality::Qsm, subject.qsm),
            (Modality::T2w, subject.t2w),
        ]),
        mask: None,
        truth: Some(subject.truth),
        unknown: None,
        contrast: None,
    }
}

fn training(folder: &Path, output: &str, steps: u64) -> Training {
    let mut preset = preset::deepmir();
    preset.architecture.widths = vec![6, 8];
    preset.training.steps = steps;
    preset.training.batch_size = 4;
    preset.training.patch = [32, 32];
    preset.training.learning_rate = 5e-3;
    preset.training.warmup_steps = 5;
    preset.training.weight_average = 0.9;
    preset.training.validate_every = 5;
    Training {
        name: "test".to_owned(),
        data: "synthetic balls".to_owned(),
        plan: preset.plan,
        architecture: preset.architecture,
        config: preset.training,
        training: (1..4).map(|number| write_subject(folder, number)).collect(),
        extra_training: Vec::new(),
        validation: vec![write_subject(folder, 9)],
        rule: None,
        synthetic: None,
        start: None,
        output: folder.join(output),
        cache: folder.join("cache"),
        device: DeviceChoice::Cpu,
        read: ReadOptions::default(),
    }
}

#[test]
fn a_training_stopped_anywhere_ends_in_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let whole = training(folder.path(), "whole", 15).run(&mut |_| {}).unwrap();
    let stopped = training(folder.path(), "stopped", 15);
    for stop_at in [3, 8, 14] {
        // As a kill would: out of the loop between two steps, nothing tidied.
        let run = catch_unwind(AssertUnwindSafe(|| {
            stopped.run(&mut |event| match event {
                Event::Step { step, .. } if step == stop_at => {
                    std::panic::resume_unwind(Box::new(()))
                }
                _ => {}
            })
        }));
        assert!(run.is_err());
    }
    let mut resumed_at = None;
    let resumed = stopped
        .run(&mut |event| {
            if let Event::Resumed { step } = event {
                resumed_at = Some(step);
            }
        })
        .unwrap();
    assert_eq!(resumed_at, Some(10));
    assert_eq!(resumed, whole);
    let exact =
        |name: &str| Weights::read(&folder.path().join(name).join("best.safetensors")).unwrap();
    assert_eq!(exact("stopped"), exact("whole"));
    let history = |name: &str| {
        let text = std::fs::read_to_string(folder.path().join(name).join("history.tsv")).unwrap();
        let without_time = |line: &str| {
            line.split('\t')
                .enumerate()
                .filter(|(n, _)| *n != 3)
                .map(|(_, cell)| cell.to_owned())
                .collect::<Vec<_>>()
        };
        text.lines().map(without_time).collect::<Vec<_>>()
    };
    assert_eq!(history("stopped"), history("whole"));
}

struct NumberedSubjects(PathBuf);

impl SyntheticSubjects for NumberedSubjects {
    fn subject(&self, n: usize) -> Result<CaseFiles, NetError> {
        Ok(write_subject(&self.0, 20 + n as u32))
    }

    fn settings(&self) -> String {
        String::new()
    }
}

#[test]
fn a_resumed_training_sees_the_same_synthetic_stream() {
    let folder = tempfile::tempdir().unwrap();
    let with_stream = |output: &str| {
        let source = Arc::new(NumberedSubjects(folder.path().join("new")));
        let synthetic = Some(SyntheticStream { source, count: 2 });
        Training { synthetic, ..training(folder.path(), output, 15) }
    };
    let alone = training(folder.path(), "alone", 15).run(&mut |_| {}).unwrap();
    let whole = with_stream("whole").run(&mut |_| {}).unwrap();
    assert_ne!(whole.weights, alone.weights);
    let stopped = with_stream("stopped");
    let run = catch_unwind(AssertUnwindSafe(|| {
        stopped.run(&mut |event| {
            if let Event::Step { step: 7, .. } = event {
                std::panic::resume_unwind(Box::new(()));
            }
        })
    }));
    assert!(run.is_err());
    assert_eq!(stopped.run(&mut |_| {}).unwrap().weights, whole.weights);
    let message = training(folder.path(), "whole", 15).run(&mut |_| {}).unwrap_err().to_string();
    assert!(message.contains("other settings was started here (synthetic_subjects)"), "{message}");
}

#[test]
fn another_training_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = training(folder.path(), "out", 5);
    first.run(&mut |_| {}).unwrap();
    first.config.learning_rate = 1e-4;
    let message = first.run(&mut |_| {}).unwrap_err().to_string();
    for words in ["other settings", "(config.learning_rate)", "training.toml"] {
        assert!(message.contains(words), "no {words:?} in {message}");
    }
}

#[test]
fn contradicting_settings_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let good = training(folder.path(), "out", 5);
    let message = |training: &Training| training.run(&mut |_| {}).unwrap_err().to_string();
    let mut bad = good.clone();
    bad.validation = bad.training.clone();
    assert!(message(&bad).contains("sub-01 is both"));
    let mut bad = good.clone();
    bad.config.patch = [33, 32];
    assert!(message(&bad).contains("multiples of 2"));
    let mut bad = good.clone();
    bad.training[1].truth = None;
    assert!(message(&bad).contains("sub-02 has no label map"));
    let mut bad = good;
    bad.training[0].images.remove(&Modality::T2w);
    assert!(message(&bad).contains("sub-01 has no T2w"));
    assert!(!folder.path().join("out/checkpoint.safetensors").exists());
}

#[test]
fn a_short_training_learns_to_detect_and_to_classify() {
    let folder = tempfile::tempdir().unwrap();
    let mut training = training(folder.path(), "out", 150);
    training.config.validate_every = 50;
    training.config.sampling.lesion = 0.9;
    training.config.sampling.mimic = 0.05;
    // The synthetic head has no basal ganglia: its deposits lie anywhere.
    training.config.restrict_nhid_to_basal_ganglia = false;
    let trained = training.run(&mut |_| {}).unwrap();
    let history = std::fs::read_to_string(folder.path().join("out/history.tsv")).unwrap();
    assert!(trained.validation_f1 > 0.8, "{history}\n{:?}", trained.rule);

    // As it will be read from a file.
    let half = trained.weights.to_safetensors(Precision::Half).unwrap();
    let members = [Weights::from_safetensors(&half).unwrap()];
    let (plan, architecture) = (&training.plan, &training.architecture);
    let case = write_subject(folder.path(), 20).read(&plan.inputs, &ReadOptions::default());
    let prepared = Prepared::new(&case.unwrap(), plan).unwrap();
    let mut networks = networks(architecture, &members, DeviceChoice::Cpu).unwrap();
    let options = InferenceOptions::default();
    let maps =
        probability_maps(&mut networks, &prepared, plan, architecture, &options, &mut |_, _| {});
    let maps = maps.unwrap();
    let (labels, _) = maps.detect(&trained.rule.into(), None, None).unwrap();
    let truth = prepared.truth.as_ref().unwrap();
    for class in LesionClass::ALL {
        let both = (0..truth.grid().len())
            .filter(|&n| truth.class_at(n) == Some(class) && labels.class_at(n) == Some(class))
            .count();
        let dice = 2.0 * both as f64 / (truth.count_of(class) + labels.count_of(class)) as f64;
        assert!(dice > 0.5, "{class}: {dice}");
    }
}
