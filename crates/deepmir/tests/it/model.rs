//! `deepmir model`.

use std::fs;

use deepmir_model::{Bundle, shipped};

use crate::support::{random_model, refused, run, text};

#[test]
fn a_model_is_described_checked_and_copied() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let (code, out, _) = run(&["model", "info", text(&model)]);
    assert_eq!(code, 0);
    for words in
        ["name = \"random\"", "inputs = [\"SWI\", \"QSM\", \"T2w\"]", "sha256", "[detection"]
    {
        assert!(out.contains(words), "no {words} in {out}");
    }
    let (code, out, _) = run(&["model", "verify", text(&model)]);
    assert_eq!(code, 0);
    assert!(out.contains("is intact and runs"), "{out}");

    let unpacked = folder.path().join("unpacked");
    assert_eq!(run(&["model", "copy", text(&model), text(&unpacked)]).0, 0);
    assert!(unpacked.join("model.toml").is_file());
    let packed = folder.path().join("packed.deepmir");
    assert_eq!(run(&["model", "copy", text(&unpacked), text(&packed)]).0, 0);
    assert_eq!(fs::read(&packed).unwrap(), fs::read(&model).unwrap());
}

#[test]
fn the_shipped_model_is_copied_with_its_patch_classifier() {
    let folder = tempfile::tempdir().unwrap();
    let (code, told, _) = run(&["model", "info", "default"]);
    assert_eq!(code, 0);
    assert!(told.contains("# Patch classifier: 3 networks of"), "{told}");
    let copy = folder.path().join("copy");
    assert_eq!(run(&["model", "copy", "default", text(&copy)]).0, 0);
    for n in 1..4 {
        assert!(copy.join(format!("patch-classifier-{n}.safetensors")).is_file());
    }
    assert_eq!(run(&["model", "info", text(&copy)]).1, told);
    assert_eq!(run(&["model", "verify", text(&copy)]).0, 0);
}

#[test]
fn wrong_hashes_and_unknown_names_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let unpacked = folder.path().join("unpacked");
    run(&["model", "copy", text(&model), text(&unpacked)]);
    let weights = unpacked.join("weights.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 4;
    fs::write(&weights, bytes).unwrap();
    refused(&["model", "verify", text(&unpacked)], &["checksum", "unpacked"]);
    refused(&["model", "info", "no-such-model"], &["no-such-model", "default"]);
}

#[test]
fn tune_changes_thresholds_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("bids");
    (1..6).for_each(|number| {
        deepmir_testing::write_subject(&data, number);
    });
    fs::remove_dir_all(data.join("derivatives/truth/sub-05")).unwrap();
    let model = random_model(folder.path());
    let output = folder.path().join("tuned.deepmir");
    let (code, told, log) = run(&["model", "tune", text(&model), text(&data), "-o", text(&output)]);
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("left out, having no label map: sub-05"), "{log}");
    // Three lesions of each class in each of four scans.
    for words in ["CMB", "NHID", " 12 ", "before", "after", "tuned.deepmir"] {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
    let (before, after) = (Bundle::read(&model).unwrap(), Bundle::read(&output).unwrap());
    assert_eq!(after.members, before.members);
    assert_eq!(after.settings.name, "random-tuned");
    assert_eq!(after.settings.provenance.data, "nothing; thresholds: 4 scans of bids");
    assert_eq!(after.settings.provenance.validation_subjects.len(), 4);
    let mut detection = after.settings.detection.clone();
    for (class, threshold) in &mut detection.classes {
        assert!(threshold.detection_threshold >= detection.candidate_threshold);
        threshold.detection_threshold =
            before.settings.detection.classes[class].detection_threshold;
    }
    assert_eq!(detection, before.settings.detection);
    // Without -o it only tells.
    let only_told = run(&["model", "tune", text(&model), text(&data)]);
    assert_eq!((only_told.0, told.starts_with(only_told.1.trim_end())), (0, true));
}

#[test]
fn adapt_warm_starts_the_candidate_classifier_of_the_shipped_model() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("bids");
    (1..5).for_each(|number| {
        deepmir_testing::write_subject(&data, number);
    });
    let output = folder.path().join("mine.deepmir");
    let (code, told, log) =
        run(&["model", "adapt", "default", text(&data), "-o", text(&output), "--name", "mine"]);
    assert_eq!(code, 0, "{log}");
    for words in ["log-loss of a held-out scan", " 12 ", "before", "after", "mine.deepmir"] {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
    let (before, after) = (shipped::MODELS[0].open().unwrap(), Bundle::read(&output).unwrap());
    assert_eq!((&after.members, &after.patch_members), (&before.members, &before.patch_members));
    let rounds = |model: &Bundle| model.settings.candidate_classifier.clone().unwrap().rounds;
    let (known, rounds) = (rounds(&before), rounds(&after));
    assert!(rounds.starts_with(&known), "{} after {}", rounds.len(), known.len());
    assert_eq!(rounds.len() > known.len(), told.contains("boosting rounds added"), "{told}");
    assert!(after.settings.provenance.data.ends_with("; candidate classifier: 4 scans of bids"));

    let adapt = |model: &str, more: &[&str], words: &[&str]| {
        let nowhere = folder.path().join("nowhere");
        let arguments = ["model", "adapt", model, text(&data), "-o", text(&nowhere)];
        refused(&[&arguments[..], more].concat(), words);
        assert!(!nowhere.exists());
    };
    let one = ["--participant-label", "01"];
    adapt("default", &one, &["two scans", "3 CMB, 3 NHID"]);
}

#[test]
fn adapt_learns_from_implants_in_scans_without_labels() {
    let folder = tempfile::tempdir().unwrap();
    let (data, implanted) = (folder.path().join("bids"), folder.path().join("implanted"));
    for number in 1..5 {
        let subject = deepmir_testing::write_subject(&data, number);
        deepmir_testing::write_implanted_copy(&subject, &implanted, 1, |n| n % 2 == 0);
    }
    fs::remove_dir_all(data.join("derivatives")).unwrap();
    let output = folder.path().join("mine.deepmir");
    let from = ["--implanted", text(&implanted)];
    let adapt = ["model", "adapt", "default", text(&data), "-o", text(&output)];
    let (code, told, log) = run(&[&adapt[..], &from].concat());
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("implants in 4 scans of bids (4 implanted scans)"), "{log}");
    let (before, after) = (shipped::MODELS[0].open().unwrap(), Bundle::read(&output).unwrap());
    let data_of = |model: &Bundle| model.settings.provenance.data.clone();
    let added = "; candidate classifier: implants in 4 scans of bids (4 implanted scans)";
    assert_eq!(data_of(&after), data_of(&before) + added);
    let rounds = |model: &Bundle| model.settings.candidate_classifier.clone().unwrap().rounds.len();
    let gained = told.contains("boosting rounds added");
    assert_eq!(rounds(&after) > rounds(&before), gained, "{told}");
    assert_eq!(after.settings.description.contains("Adapted to implants in 4 scans"), gained);
    if !gained {
        assert_eq!(after.settings.detection, before.settings.detection);
    }

    let one = [&from[..], &["--participant-label", "01"]].concat();
    let (code, _, log) = run(&[&adapt[..], &one].concat());
    assert!(code == 1 && log.contains("two scans"), "{log}");
    // What is no head has no place for lesions.
    let (code, _, log) = run(&[&adapt[..], &["--implant", "1"]].concat());
    assert!(code == 1 && log.contains("no scan could be implanted"), "{log}");
    let nothing = [&adapt[..], &["--implanted", text(&data)]].concat();
    refused(&nothing, &["no implanted scan here", "deepmir implant"]);
    let two = ["model", "adapt", "default", text(&data), text(&implanted), "--implant"];
    refused(&two, &["implants are learned from in one dataset"]);
}

#[test]
fn too_few_lesions_and_contradictions_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (data, other) = (folder.path().join("bids"), folder.path().join("other"));
    deepmir_testing::write_subject(&data, 1);
    deepmir_testing::write_subject(&other, 2);
    let model = random_model(folder.path());
    let output = folder.path().join("tuned");
    let tune = |more: &[&str], words: &[&str]| {
        refused(&[&["model", "tune", text(&model), "-o", text(&output)], more].concat(), words);
        assert!(!output.exists());
    };
    tune(&[text(&data)], &["no class has 10 lesions", "3 CMB, 3 NHID"]);
    tune(&[text(&data), "--beta", "0"], &["--beta"]);
    tune(&[text(&data), text(&other), "--labels", "x"], &["--labels", "one dataset"]);
    tune(&[text(&data), text(&data)], &["two of the datasets", "bids"]);
    tune(&[text(&data), "--participant-label", "09"], &["09", "sub-01"]);
}
