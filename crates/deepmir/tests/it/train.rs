//! `deepmir train`.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use deepmir_cases::Modality;
use deepmir_model::Bundle;
use deepmir_net::train::SavedSettings;

use crate::support::{COARSE, QUICK, deepmir, refused, run, text};

/// A dataset of five subjects and a quick training's settings.
fn dataset() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    (1..6).for_each(|number| {
        deepmir_testing::write_subject(&folder.path().join("bids"), number);
    });
    fs::write(folder.path().join("quick.toml"), QUICK).unwrap();
    folder
}

fn arguments<'a>(folder: &'a Path, out: &'a Path, more: &[&'a str]) -> Vec<String> {
    let (data, config) = (folder.join("bids"), folder.join("quick.toml"));
    let all = [&["train", text(&data), "-o", text(out), "--config", text(&config)], more].concat();
    all.into_iter().map(str::to_owned).collect()
}

fn call(arguments: &[String]) -> (i32, String, String) {
    run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_killed_training_ends_in_the_same_model() {
    let folder = dataset();
    let whole = folder.path().join("whole");
    let (code, out, told) =
        call(&arguments(folder.path(), &whole, &["--steps", "30", "--name", "same"]));
    assert_eq!(code, 0, "{told}");
    assert!(out.contains("whole/model"), "{out}");
    for name in [
        "model/model.toml",
        "model/weights.safetensors",
        "history.tsv",
        "history.svg",
        "training.toml",
    ] {
        assert!(whole.join(name).is_file(), "{name}");
    }
    assert!(!whole.join("cache").exists());

    let killed = folder.path().join("killed");
    let begin = arguments(folder.path(), &killed, &["--steps", "30", "--name", "same"]);
    let begin: Vec<&str> = begin.iter().map(String::as_str).collect();
    let mut child = deepmir(&begin).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !killed.join("checkpoint.safetensors").exists()
        && started.elapsed() < Duration::from_secs(120)
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!killed.join("model").exists(), "killed before the end");
    refused(&begin, &["--resume", "killed"]);
    let (code, _, told) =
        call(&arguments(folder.path(), &killed, &["--steps", "30", "--name", "same", "--resume"]));
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("resuming after step"), "{told}");
    for name in ["model/weights.safetensors", "model/model.toml", "best.safetensors"] {
        assert_eq!(
            fs::read(whole.join(name)).unwrap(),
            fs::read(killed.join(name)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn folds_make_one_ensemble_with_a_patch_classifier_that_predicts() {
    let folder = dataset();
    let patches = "[training.patch_classifier]\nsize = [4, 8, 8]\nwidths = [4, 6]\nshift = [0, 1, 1]\n\
                  networks = 2\nmin_lesions = 12\nsteps = 20\nbatch_size = 8\n";
    fs::write(folder.path().join("quick.toml"), [QUICK, patches].concat()).unwrap();
    let out = folder.path().join("folds");
    let more = ["--steps", "10", "--folds", "2", "--inputs", "SWI,QSM", "--classes", "CMB"];
    let (code, _, told) = call(&arguments(folder.path(), &out, &more));
    assert_eq!(code, 0, "{told}");
    let folds = Bundle::read(&out.join("model")).unwrap();
    assert_eq!(folds.members.len(), 2);
    assert_eq!(folds.patch_members.len(), 2);
    assert_eq!(folds.settings.patch_classifier.as_ref().unwrap().weights.len(), 2);
    let asked = folds.settings.candidate_classifier.as_ref().unwrap().split_shares();
    assert!(asked.iter().any(|(feature, _)| feature.name() == "patch-cmb"), "{asked:?}");
    a_fine_tuned_model_keeps_its_classifiers(&folder, patches, &folds);
    trees_use_only_a_patch_classifier_that_is_there(&folder, patches);

    let again = folder.path().join("everyone");
    let model = out.join("model");
    let more = ["--steps", "10", "--retrain-on-all", text(&model)];
    let (code, _, told) = call(&arguments(folder.path(), &again, &more));
    assert_eq!(code, 0, "{told}");
    assert!(!told.contains("validating on"), "{told}");
    let everyone = Bundle::read(&again.join("model")).unwrap();
    assert_eq!(everyone.members.len(), 2);
    assert!(everyone.members[0] != everyone.members[1] && everyone.members != folds.members);
    assert_eq!(everyone.settings.detection, folds.settings.detection);
    assert_eq!(everyone.patch_members, folds.patch_members);
    assert_eq!(everyone.settings.provenance.training_subjects.len(), 5);
    let subject = folder.path().join("bids/sub-01/anat");
    let (code, out, told) = run(&[
        "predict",
        "--swi",
        text(&subject.join("sub-01_acq-swi_T2starw.nii.gz")),
        "--qsm",
        text(&subject.join("sub-01_Chimap.nii.gz")),
        "--model",
        text(&out.join("model")),
        "-o",
        text(&folder.path().join("pred")),
    ]);
    assert_eq!(code, 0, "{told}");
    assert!(out.contains("0 NHID"), "{out}");
}

/// Where there are too few lesions to train others.
fn a_fine_tuned_model_keeps_its_classifiers(
    folder: &tempfile::TempDir,
    patches: &str,
    folds: &Bundle,
) {
    let few = patches.replace("min_lesions = 12", "min_lesions = 1000");
    fs::write(folder.path().join("quick.toml"), [QUICK, &few].concat()).unwrap();
    let model = folder.path().join("folds/model");
    let train = |name: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let more = [&["--steps", "5", "--init-from", text(&model)], more].concat();
        let (code, _, told) = call(&arguments(folder.path(), &out, &more));
        assert_eq!(code, 0, "{told}");
        let on = Bundle::read(&out.join("model")).unwrap();
        assert!(on.members != folds.members && on.patch_members == folds.patch_members);
        assert_eq!(on.settings.patch_classifier, folds.settings.patch_classifier);
        let asked = on.settings.candidate_classifier.as_ref().unwrap().split_shares();
        assert!(asked.iter().any(|(feature, _)| feature.name() == "patch-cmb"), "{asked:?}");
        on
    };
    let on = train("on", &["--folds", "2"]);
    let data = &on.settings.provenance.data;
    let kept = ["; patch classifier of folds", "; candidate classifier of folds"];
    assert!(kept.iter().any(|kept| data.ends_with(kept)), "{data}");

    // Four subjects are too few to train a candidate classifier, and one to validate on can only keep it.
    let rounds = |model: &Bundle| model.settings.candidate_classifier.clone().unwrap().rounds;
    let four = ["--participant-label", "01", "02", "03", "04"];
    let folded = train("on-four", &[&four[..], &["--folds", "2"]].concat());
    let alone = train("on-alone", &four);
    assert_eq!((folded.members.len(), alone.members.len()), (2, 1));
    assert!(rounds(&folded).starts_with(&rounds(folds)));
    assert_eq!(rounds(&alone), rounds(folds));
    for on in [&folded, &alone] {
        let data = &on.settings.provenance.data;
        assert!(data.ends_with("; candidate classifier of folds"), "{data}");
    }
}

/// A candidate classifier without a patch classifier must not be warm-started on another's features.
fn trees_use_only_a_patch_classifier_that_is_there(folder: &tempfile::TempDir, patches: &str) {
    let few = patches.replace("min_lesions = 12", "min_lesions = 1000");
    let train = |name: &str, patches: &str, more: &[&str]| {
        fs::write(folder.path().join("quick.toml"), [QUICK, patches].concat()).unwrap();
        let out = folder.path().join(name);
        let more = [&["--steps", "5", "--folds", "2"], more].concat();
        let (code, _, told) = call(&arguments(folder.path(), &out, &more));
        assert_eq!(code, 0, "{told}");
        let made = Bundle::read(&out.join("model")).unwrap();
        let asked = made.settings.candidate_classifier.as_ref().unwrap().split_shares();
        let asks = asked.iter().any(|(feature, _)| feature.name() == "patch-cmb");
        assert_eq!(asks, !made.patch_members.is_empty(), "{asked:?}");
        made
    };
    let plain = train("plain", &few, &["--inputs", "SWI,QSM", "--classes", "CMB"]);
    assert!(plain.patch_members.is_empty());
    let model = folder.path().join("plain/model");
    train("plain-on", patches, &["--init-from", text(&model)]);
}

#[test]
fn auxiliary_data_is_trained_on_in_every_fold_and_never_validated_on() {
    let folder = dataset();
    let [site, scanner] = ["site", "scanner"].map(|name| folder.path().join(name));
    (1..3).for_each(|number| {
        deepmir_testing::write_subject(&site, number);
        deepmir_testing::write_subject(&scanner, number);
    });
    let out = folder.path().join("out");
    let more = ["--steps", "2", "--folds", "2", "--extra-train", text(&site)];
    let more = [more.as_slice(), &["--extra-validation", text(&scanner)]].concat();
    let (code, _, told) = call(&arguments(folder.path(), &out, &more));
    assert_eq!(code, 0, "{told}");
    for fold in ["fold-1", "fold-2"] {
        let saved = SavedSettings::read(&out.join(fold)).unwrap().unwrap();
        let from_site = |id: &&String| id.starts_with("site-");
        assert_eq!(saved.extra_training.iter().filter(from_site).count(), 2);
        assert_eq!(saved.training_subjects.iter().filter(from_site).count(), 0);
        assert_eq!(saved.validation_subjects.iter().filter(from_site).count(), 0);
    }
    // Thresholds are chosen on the other scanner too, which no network was trained on.
    let provenance = Bundle::read(&out.join("model")).unwrap().settings.provenance;
    let of_scanner =
        |names: &[String]| names.iter().filter(|name| name.starts_with("scanner-")).count();
    assert_eq!(of_scanner(&provenance.validation_subjects), 2);
    assert_eq!(of_scanner(&provenance.training_subjects), 0);
    let more = ["--folds", "2", "--extra-train", text(&site), "--extra-validation", text(&site)];
    let both = arguments(folder.path(), &folder.path().join("both"), &more);
    let both: Vec<&str> = both.iter().map(String::as_str).collect();
    refused(&both, &["not both", "site"]);
    let bids = folder.path().join("bids");
    let more = ["--held-out", "05", "--extra-train", text(&bids)];
    let again = arguments(folder.path(), &folder.path().join("again"), &more);
    let again: Vec<&str> = again.iter().map(String::as_str).collect();
    refused(&again, &["both trained and tested on", "sub-01"]);
}

#[test]
fn a_network_learns_from_implants_in_scans_without_labels() {
    let folder = tempfile::tempdir().unwrap();
    let (data, implanted) = (folder.path().join("bids"), folder.path().join("implanted"));
    for number in 1..5 {
        let subject = deepmir_testing::write_subject(&data, number);
        for copy in 1..3 {
            deepmir_testing::write_implanted_copy(&subject, &implanted, copy, |n| n % 2 == 0);
        }
    }
    fs::remove_dir_all(data.join("derivatives")).unwrap();
    fs::write(folder.path().join("quick.toml"), QUICK).unwrap();
    let out = folder.path().join("out");
    let more = ["--steps", "10", "--implanted", text(&implanted)];
    let (code, _, told) = call(&arguments(folder.path(), &out, &more));
    assert_eq!(code, 0, "{told}");
    let provenance = Bundle::read(&out.join("model")).unwrap().settings.provenance;
    assert_eq!(provenance.data, "implants in 4 scans of bids (8 implanted scans)");
    // Both copies of a person are on one side.
    let sides = [&provenance.training_subjects, &provenance.validation_subjects];
    assert_eq!(sides.map(Vec::len), [6, 2]);
    let held = sides[1].iter().map(|id| &id[..6]).collect::<Vec<_>>();
    assert!(held[0] == held[1] && sides[0].iter().all(|id| !id.starts_with(held[0])), "{sides:?}");
    let settings = SavedSettings::read(&out).unwrap().unwrap();
    assert!(settings.files.values().all(|files| files.contains_key("unknown")));
}

#[test]
fn phantoms_are_simulated_while_training() {
    let folder = dataset();
    let settings = [QUICK, COARSE].concat();
    fs::write(folder.path().join("quick.toml"), settings).unwrap();
    let out = folder.path().join("out");
    let more = ["--steps", "4", "--phantoms", "1"];
    let (code, _, told) = call(&arguments(folder.path(), &out, &more));
    assert_eq!(code, 0, "{told}");
    let model = Bundle::read(&out.join("model")).unwrap();
    let data = &model.settings.provenance.data;
    assert!(data.ends_with("phantoms simulated while training: 1"), "{data}");
    assert!(out.join("phantoms/phantom-0001/sub-01/anat/sub-01_Chimap.nii.gz").is_file());
}

#[test]
fn the_papers_table_trains_too_and_a_model_is_fine_tuned() {
    let folder = dataset();
    let mut table = String::from("id,truth,swi,qsm,t2w\n");
    for number in 1..4 {
        let id = format!("sub-{number:02}");
        table += &format!(
            "{id},bids/derivatives/truth/{id}/anat/{id}_acq-swi_seg-lesions_dseg.nii.gz,\
             bids/{id}/anat/{id}_acq-swi_T2starw.nii.gz,bids/{id}/anat/{id}_Chimap.nii.gz,\
             bids/{id}/anat/{id}_T2w.nii.gz\n"
        );
    }
    let csv = folder.path().join("train.csv");
    fs::write(&csv, &table).unwrap();
    let config = folder.path().join("quick.toml");
    let train = |out: &str, more: &[&str]| {
        let out = folder.path().join(out);
        run(&[
            &["train", text(&csv), "-o", text(&out), "--config", text(&config), "--steps", "5"],
            more,
        ]
        .concat())
    };
    let (code, _, told) = train("first", &[]);
    assert_eq!(code, 0, "{told}");
    let first = folder.path().join("first/model");
    let (code, _, told) = train("second", &["--init-from", text(&first)]);
    assert_eq!(code, 0, "{told}");
    let (code, _, told) = train("third", &["--init-from", text(&first), "--inputs", "SWI"]);
    assert_eq!(code, 1);
    assert!(told.contains("reads SWI,QSM,T2w and predicts CMB,NHID"), "{told}");

    // Fine-tuning may make an image optional, but not change the inputs.
    let content = folder.path().join("content.toml");
    let quick = fs::read_to_string(&config).unwrap();
    fs::write(&content, format!("{quick}\n[plan]\noptional = [\"T2w\"]\n")).unwrap();
    let fine_tuned = ["--init-from", text(&first), "--config", text(&content)];
    let out = folder.path().join("content");
    let arguments = ["train", text(&csv), "-o", text(&out), "--steps", "5"];
    let (code, _, told) = run(&[&arguments[..], &fine_tuned].concat());
    assert_eq!(code, 0, "{told}");
    let made = Bundle::read(&out.join("model")).unwrap();
    assert_eq!(made.settings.plan.optional, [Modality::T2w]);
    fs::write(&content, format!("{quick}\n[plan]\noptional = [\"SWI\"]\n")).unwrap();
    refused(&[&arguments[..], &fine_tuned, &["--resume"]].concat(), &["SWI cannot be optional"]);

    // The test list must not share a subject with the training list.
    let test = folder.path().join("test.csv");
    fs::write(
        &test,
        table.lines().next().unwrap().to_owned() + "\n" + table.lines().nth(2).unwrap(),
    )
    .unwrap();
    let (code, _, told) = train("fourth", &["--held-out", text(&test)]);
    assert_eq!(code, 1);
    assert!(told.contains("sub-02 stand both"), "{told}");
    let twice = table.clone() + table.lines().nth(1).unwrap() + "\n";
    fs::write(&csv, twice).unwrap();
    let (code, _, told) = train("fifth", &[]);
    assert_eq!(code, 1);
    assert!(told.contains("line 5: sub-01 is listed twice"), "{told}");
}

#[test]
fn wrong_subjects_presets_and_settings_are_told() {
    let folder = dataset();
    let out = folder.path().join("out");
    let wrong = |more: &[&str], words: &[&str]| {
        let arguments = arguments(folder.path(), &out, more);
        refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), words);
    };
    wrong(&["--participant-label", "99"], &["there is no sub-99", "sub-05"]);
    wrong(&["--preset", "unet"], &["deepmir and paper"]);
    wrong(&["--folds", "9"], &["5 subjects cannot make 9 folds"]);
    wrong(&["--folds", "2", "--fold", "3"], &["no fold 3 of 2"]);
    wrong(&["--resume"], &["no training to resume"]);
    wrong(&["--participant-label", "01", "02", "--held-out", "02"], &["sub-02 stand both"]);
    fs::write(folder.path().join("quick.toml"), "[training]\nstepps = 3\n").unwrap();
    wrong(&[], &["stepps", "quick.toml"]);
    assert!(!out.exists());
}
