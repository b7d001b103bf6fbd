//! Synthetic subjects and small trainings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_cases::{CaseFiles, Modality};
use deepmir_model::Bundle;
use deepmir_net::train::{PatchClassifierConfig, Training, TrainingConfig};
use deepmir_net::{DeviceChoice, preset};
use deepmir_volume::nifti::ReadOptions;

/// A file or folder of `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The files of a synthetic subject.
pub fn write_subject(folder: &Path, number: u32) -> CaseFiles {
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

/// Six subjects in two folds.
pub fn two_folds(folder: &Path) -> Vec<Vec<CaseFiles>> {
    [1..4, 4..7].map(|fold| fold.map(|number| write_subject(folder, number)).collect()).into()
}

/// The training of the small network on all folds but one, which it is validated on. QSM and T2w may be missing.
pub fn training(folder: &Path, folds: &[Vec<CaseFiles>], fold: usize) -> Training {
    let mut preset = preset::deepmir();
    preset.plan.optional = vec![Modality::Qsm, Modality::T2w];
    preset.architecture.widths = vec![6, 8];
    let config = TrainingConfig {
        steps: 60,
        batch_size: 4,
        patch: [32, 32],
        learning_rate: 5e-3,
        warmup_steps: 5,
        weight_average: 0.9,
        validate_every: 30,
        patch_classifier: Some(PatchClassifierConfig {
            size: [4, 8, 8],
            widths: vec![4, 6],
            hidden: 8,
            networks: 2,
            min_lesions: 6,
            steps: 200,
            batch_size: 16,
            shift: [0, 1, 1],
            ..preset.training.patch_classifier.clone().unwrap()
        }),
        ..preset.training
    };
    let others = folds.iter().enumerate().filter(|(n, _)| *n != fold);
    Training {
        name: "test".to_owned(),
        data: "synthetic balls".to_owned(),
        plan: preset.plan,
        architecture: preset.architecture,
        config,
        training: others.flat_map(|(_, cases)| cases.clone()).collect(),
        extra_training: vec![write_subject(folder, 12)],
        validation: folds[fold].clone(),
        rule: None,
        synthetic: None,
        start: None,
        output: folder.join(format!("fold-{fold}")),
        cache: folder.join("cache"),
        device: DeviceChoice::Cpu,
        read: ReadOptions::default(),
    }
}

/// A model for each fold.
pub fn fold_models(folder: &Path, folds: &[Vec<CaseFiles>]) -> Vec<Bundle> {
    let trainings = (0..folds.len()).map(|fold| training(folder, folds, fold));
    trainings.map(|training| deepmir_model::train(&training, &mut |_| {}).unwrap()).collect()
}
