//! Batches of patches.

use deepmir_lesion::LabelMap;

use super::*;
use crate::prepare::tests::prepared_subject;
use crate::preset;
use deepmir_cases::Modality;
use deepmir_volume::Volume;

#[test]
fn a_lesion_patch_holds_its_lesion_and_batches_are_reproducible() {
    let folder = tempfile::tempdir().unwrap();
    let preset = preset::deepmir();
    let (prepared, _) = prepared_subject(&preset.plan);
    let path = folder.path().join("case");
    let cases = [StoredCase::write(&prepared, &preset.plan, &path).unwrap()];
    assert_eq!(cases[0].lesions.len(), 2);
    let mut config = preset.training;
    config.patch = [32, 32];
    config.sampling.lesion = 1.0;
    config.sampling.mimic = 0.0;
    let sampler = Sampler::new(&cases, &preset.plan, &config);
    let batch = sampler.batch(3).unwrap();
    assert_eq!(batch, sampler.batch(3).unwrap());
    assert_ne!(batch, sampler.batch(4).unwrap());
    for target in batch.targets.chunks_exact(32 * 32) {
        assert!(target.iter().any(|&class| class > 0));
    }
}

#[test]
fn what_nobody_knows_is_no_target_and_is_not_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let preset = preset::deepmir();
    let (mut prepared, _) = prepared_subject(&preset.plan);
    let grid = *prepared.grid();
    // The half of the head with the NHID; the label is known there.
    let truth = prepared.truth.clone().unwrap();
    let half = grid.shape()[0] / 2;
    let unknown =
        |[i, j, k]: [usize; 3]| i < half && truth.volume().data()[grid.index([i, j, k])] == 0;
    prepared.unknown = Some(Volume::from_fn(grid, unknown));
    let path = folder.path().join("case");
    let cases = [StoredCase::write(&prepared, &preset.plan, &path).unwrap()];
    assert_eq!(cases[0].lesions.len(), 2);
    let sites = cases[0].brain.iter().chain(&cases[0].mimics);
    assert!(sites.clone().count() > 100 && sites.clone().all(|&voxel| !unknown(voxel)));
    assert!(cases[0].mimics.iter().all(|&[i, _, _]| i >= half));

    let mut config = preset.training;
    (config.patch, config.batch_size, config.augment) = ([16, 16], 64, AugmentConfig::NONE);
    config.sampling = SamplingConfig { lesion: 0.5, mimic: 0.2, jitter: 0.0, ..config.sampling };
    let batch = Sampler::new(&cases, &preset.plan, &config).batch(0).unwrap();
    let channels = preset.plan.input_channels();
    let mut counts = [0; 3];
    for (input, target) in
        batch.inputs.chunks_exact(channels * 256).zip(batch.targets.chunks_exact(256))
    {
        for (value, &class) in input[256..512].iter().zip(target) {
            counts[0] += usize::from(class == 1);
            counts[1] += usize::from(class == 2);
            counts[2] += usize::from(class == UNKNOWN);
            // Lesions are drawn dark, and none is unknown.
            assert!(class == 0 || class == UNKNOWN || *value < -3.0);
            assert!(class != 0 && class != UNKNOWN || *value > -3.0);
        }
    }
    assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
    // Nothing can be drawn from a scan of which nothing is known.
    prepared.unknown = Some(Volume::filled(grid, true));
    prepared.truth = Some(LabelMap::empty(grid));
    let told = StoredCase::write(&prepared, &preset.plan, &path).unwrap_err().to_string();
    assert!(told.contains("nothing in the brain of sub-ball is known"), "{told}");
}

#[test]
fn extra_training_data_has_its_share_of_the_patches() {
    let folder = tempfile::tempdir().unwrap();
    let preset = preset::deepmir();
    let (prepared, _) = prepared_subject(&preset.plan);
    let own = [StoredCase::write(&prepared, &preset.plan, &folder.path().join("own")).unwrap()];
    // The extra subject is the same head without lesions.
    let mut healthy = prepared;
    healthy.truth = Some(LabelMap::empty(*healthy.grid()));
    let path = folder.path().join("extra");
    let extra_training = [StoredCase::write(&healthy, &preset.plan, &path).unwrap()];
    assert!(extra_training[0].lesions.is_empty());
    let none = SyntheticQueue::new(0, 1);
    let mut config = preset.training;
    (config.patch, config.batch_size) = ([32, 32], 200);
    config.sampling = SamplingConfig { lesion: 1.0, mimic: 0.0, jitter: 0.5, extra: 0.3 };
    let sampler =
        Sampler::new(&own, &preset.plan, &config).with_extra_training(&extra_training, &none);
    let batch = sampler.batch(1).unwrap();
    let empty = batch.targets.chunks_exact(32 * 32).filter(|target| target.iter().all(|&c| c == 0));
    // Binomial: mean 60, three standard deviations 19.
    assert!((41..=79).contains(&empty.count()));
}

#[test]
fn optional_images_are_missing_at_the_configured_rate_and_others_never() {
    let folder = tempfile::tempdir().unwrap();
    let preset = preset::deepmir();
    let (prepared, _) = prepared_subject(&preset.plan);
    let path = folder.path().join("case");
    let cases = [StoredCase::write(&prepared, &preset.plan, &path).unwrap()];
    let plan = Plan { optional: vec![Modality::T2w], ..preset.plan };
    let mut config = preset.training;
    (config.patch, config.batch_size) = ([16, 16], 400);
    config.augment = AugmentConfig { missing_chance: 0.25, ..AugmentConfig::NONE };
    let batch = Sampler::new(&cases, &plan, &config).batch(1).unwrap();
    let mut blank = [0; 3];
    for input in batch.inputs.chunks_exact(plan.input_channels() * 256) {
        for (blank, image) in blank.iter_mut().zip(input.chunks_exact(3 * 256)) {
            *blank += usize::from(image.iter().all(|&value| value == 0.0));
        }
    }
    // Patches hold brain; binomial: mean 100, four standard deviations 35.
    assert!(blank[0] == 0 && blank[1] == 0 && (65..=135).contains(&blank[2]), "{blank:?}");
}

#[test]
fn without_augmentation_a_patch_is_what_was_prepared() {
    let folder = tempfile::tempdir().unwrap();
    let preset = preset::deepmir();
    let (prepared, _) = prepared_subject(&preset.plan);
    let path = folder.path().join("case");
    let cases = [StoredCase::write(&prepared, &preset.plan, &path).unwrap()];
    let mut config = preset.training;
    (config.patch, config.batch_size, config.augment) = ([16, 16], 16, AugmentConfig::NONE);
    config.sampling = SamplingConfig { lesion: 1.0, mimic: 0.0, jitter: 0.0, ..config.sampling };
    let sampler = Sampler::new(&cases, &preset.plan, &config);
    let batch = sampler.batch(0).unwrap();
    // Lesions are drawn dark on SWI (channel 1 is its middle slice) and so must be their targets.
    let channels = preset.plan.input_channels();
    for (input, target) in
        batch.inputs.chunks_exact(channels * 256).zip(batch.targets.chunks_exact(256))
    {
        for (value, &class) in input[256..512].iter().zip(target) {
            assert_eq!(*value < -3.0, class > 0, "{value} {class}");
        }
    }
}
