//! Images, networks and cohorts to and from other programs.

use std::fs;
use std::path::Path;

use deepmir_testing::formats;
use deepmir_volume::nifti;
use serde_json::Value;

use crate::support::{random_model, refused, run, text};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_model_is_exported_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let out = folder.path().join("new/onnx");
    let (code, told, log) = run(&["model", "export", text(&model), "-o", text(&out)]);
    assert_eq!(code, 0, "{log}");
    for name in ["unet.onnx", "plan.json", "run.py"] {
        assert!(out.join(name).is_file() && told.contains(name), "{told}");
    }
    let plan = json(&out.join("plan.json"));
    assert_eq!(plan["networks"], serde_json::json!(["unet.onnx"]));
    assert_eq!((&plan["size_multiple"], &plan["plan"]["classes"][1]), (&2.into(), &"NHID".into()));
    assert!(plan["detection"]["classes"]["CMB"]["detection_threshold"].is_number());
    refused(
        &["model", "export", text(&model), "-o", text(&out)],
        &["something here already", "onnx"],
    );
    let nowhere = folder.path().join("nowhere");
    refused(&["model", "export", "no-such-model", "-o", text(&nowhere)], &["no-such-model"]);
    assert!(!nowhere.exists());
    let entries = fs::read_dir(out.parent().unwrap()).unwrap().count();
    assert_eq!(entries, 1, "nothing is left beside it");
}

#[test]
fn images_of_other_programs_are_read_as_nifti_images_are() {
    let folder = tempfile::tempdir().unwrap();
    let subject = deepmir_testing::write_coarse_subject(folder.path(), 1);
    let model = random_model(folder.path());
    let image = |path: &Path| nifti::read(path).unwrap().volume;
    let to = |name: &str| folder.path().join(name);
    formats::write_nrrd(&to("sub-01_swi.nrrd"), &image(&subject.swi));
    formats::write_mgh(&to("sub-01_Chimap.mgh"), &image(&subject.qsm));
    formats::write_metaimage(&to("sub-01_T2w.mha"), &image(&subject.t2w));
    let predict = |swi: &Path, qsm: &Path, t2w: &Path, out: &str| {
        let images = ["--swi", text(swi), "--qsm", text(qsm), "--t2w", text(t2w)];
        let rest = ["--model", text(&model), "-o", out];
        let (code, _, log) = run(&[&["predict"], &images[..], &rest[..]].concat());
        assert_eq!(code, 0, "{log}");
    };
    let (ours, theirs) = (to("ours"), to("theirs"));
    predict(&subject.swi, &subject.qsm, &subject.t2w, text(&ours));
    predict(&to("sub-01_swi.nrrd"), &to("sub-01_Chimap.mgh"), &to("sub-01_T2w.mha"), text(&theirs));
    for class in ["CMB", "NHID"] {
        let map = |folder: &Path, stem: &str| {
            image(&folder.join(format!("{stem}_seg-lesions_label-{class}_probseg.nii.gz")))
        };
        let (one, other) = (map(&ours, "sub-01_acq-swi"), map(&theirs, "sub-01"));
        assert!(one.grid().same_as(other.grid()));
        for (one, other) in one.data().iter().zip(other.data()) {
            assert!((one - other).abs() < 1e-4, "{one} and {other}");
        }
    }
    // A label map is read so too.
    let truth = to("truth.nrrd");
    formats::write_nrrd(&truth, &image(&subject.truth));
    let labels = theirs.join("sub-01_seg-lesions_dseg.nii.gz");
    let out = to("evaluation");
    let (code, told, log) = run(&[
        "evaluate",
        "--truth",
        text(&truth),
        "--pred",
        text(&labels),
        "-o",
        text(&out),
        "--resamples",
        "20",
    ]);
    assert_eq!(code, 0, "{log}");
    assert!(told.contains("CMB"), "{told}");
}

#[test]
fn a_cohort_becomes_a_data_set_of_nnunet() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("bids");
    let subjects: Vec<_> =
        (1..5).map(|number| deepmir_testing::write_coarse_subject(&data, number)).collect();
    fs::remove_file(&subjects[3].truth).unwrap();
    deepmir_testing::forget_lesions(&subjects[1], |n| n == 0);
    let raw = folder.path().join("raw");
    let line = ["cohort", "nnunet", text(&data), "-o", text(&raw), "--number", "7", "--folds", "3"];
    let (code, told, log) = run(&line);
    assert_eq!(code, 0, "{log}");
    let dataset = raw.join("Dataset007_Lesions");
    assert!(told.contains(text(&dataset)), "{told}");
    let description = json(&dataset.join("dataset.json"));
    assert_eq!(
        description["channel_names"],
        serde_json::json!({"0": "SWI", "1": "QSM", "2": "T2w"})
    );
    let labels = serde_json::json!({"background": 0, "CMB": 1, "NHID": 2, "ignore": 3});
    assert_eq!((&description["labels"], &description["numTraining"]), (&labels, &3.into()));
    for subject in &subjects {
        let is_labelled = subject.id != "sub-04";
        let images = dataset.join(if is_labelled { "imagesTr" } else { "imagesTs" });
        let swi = nifti::read(&images.join(format!("{}_0000.nii.gz", subject.id))).unwrap().volume;
        assert_eq!(swi, nifti::read(&subject.swi).unwrap().volume);
        let label_map = dataset.join(format!("labelsTr/{}.nii.gz", subject.id));
        assert_eq!(label_map.exists(), is_labelled);
        if is_labelled {
            let labels = nifti::read_integers(&label_map).unwrap().volume;
            assert_eq!(labels.data().contains(&3), subject.id == "sub-02");
        }
    }
    let splits = json(&dataset.join("splits_final.json"));
    let held: Vec<&Value> = splits
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|fold| fold["val"].as_array().unwrap())
        .collect();
    assert_eq!((splits.as_array().unwrap().len(), held.len()), (3, 3));
    a_data_set_of_nnunet_becomes_a_cohort(&dataset, &subjects);
    refused(&line, &["exists already", "Dataset007_Lesions"]);
    let nowhere = folder.path().join("nowhere");
    let line = ["cohort", "nnunet", text(&data), "-o", text(&nowhere)];
    refused(&[&line[..], &["--folds", "9"]].concat(), &["3 subjects cannot make 9 folds"]);
    refused(&[&line[..], &["--name", "a b"]].concat(), &["a name of letters"]);
    assert!(!nowhere.exists());
}

/// And the way back: the same label maps, unknown places apart, of scans with the same names.
fn a_data_set_of_nnunet_becomes_a_cohort(
    dataset: &Path,
    subjects: &[deepmir_testing::MadeUpSubject],
) {
    let folder = tempfile::tempdir().unwrap();
    let bids = folder.path().join("bids");
    let line = ["cohort", "from-nnunet", text(dataset), "-o", text(&bids)];
    let (code, told, log) = run(&line);
    assert_eq!(code, 0, "{log}");
    assert!(told.contains("3 scans with a label map, 1 without"), "{told}");
    for subject in subjects {
        let file = |ending: &str| format!("{0}/anat/{0}_{ending}.nii.gz", subject.id);
        let swi = nifti::read(&bids.join(file("swi"))).unwrap().volume;
        assert_eq!(swi, nifti::read(&subject.swi).unwrap().volume);
        assert!(bids.join(file("Chimap")).is_symlink() && bids.join(file("T2w")).exists());
        let labels = bids.join("derivatives/labels").join(file("seg-lesions_dseg"));
        assert_eq!(labels.exists(), subject.id != "sub-04");
        if labels.exists() {
            let labels = nifti::read_integers(&labels).unwrap().volume;
            assert_eq!(labels, nifti::read_integers(&subject.truth).unwrap().volume);
        }
        let unknown = bids.join("derivatives/labels").join(file("desc-unknown_mask"));
        assert_eq!(unknown.exists(), subject.id == "sub-02");
    }
    // It is what a training takes: the same data set comes out of it again.
    let raw = folder.path().join("raw");
    let again = ["cohort", "nnunet", text(&bids), "-o", text(&raw), "--folds", "3"];
    let (code, _, log) = run(&again);
    assert_eq!(code, 0, "{log}");
    let back = raw.join("Dataset501_Lesions");
    for name in ["splits_final.json", "labelsTr/sub-02.nii.gz", "imagesTs/sub-04_0001.nii.gz"] {
        let [one, other] = [dataset, &back].map(|folder| fs::read(folder.join(name)).unwrap());
        assert_eq!(one, other, "{name}");
    }

    refused(&line, &["exists already"]);
    let other = text(&back);
    let new = folder.path().join("new");
    let line = ["cohort", "from-nnunet", other, "-o", text(&new), "--channels"];
    refused(
        &[&line[..], &["SWI,QSM"]].concat(),
        &["--channels has 2 and there are 3: SWI, QSM, T2w"],
    );
    refused(&[&line[..], &["SWI,SWI,T2w"]].concat(), &["two are the same"]);
    let description = fs::read_to_string(back.join("dataset.json")).unwrap();
    let with = |from: &str, to: &str| {
        fs::write(back.join("dataset.json"), description.replace(from, to)).unwrap();
    };
    let plain = ["cohort", "from-nnunet", other, "-o", text(&new)];
    with("\"QSM\"", "\"contrast 2\"");
    refused(&plain, &["contrast 2", "--channels"]);
    with(".nii.gz", ".nrrd");
    refused(&plain, &[".nrrd", "convert"]);
    fs::write(back.join("dataset.json"), &description).unwrap();
    fs::remove_file(back.join("imagesTr/sub-01_0002.nii.gz")).unwrap();
    refused(&plain, &["sub-01_0002.nii.gz", "lacks this channel"]);
    refused(
        &["cohort", "from-nnunet", text(&raw), "-o", text(&new)],
        &["dataset.json and imagesTr"],
    );
    assert!(!new.exists());
}

#[test]
fn what_nnunet_predicts_is_evaluated_with_its_probabilities() {
    let folder = tempfile::tempdir().unwrap();
    let predicted =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../deepmir-cases/tests/fixtures/nnunet");
    let dataset = folder.path().join("Dataset501_Lesions");
    let truth = dataset.join("labelsTr");
    fs::create_dir_all(&truth).unwrap();
    fs::copy(predicted.join("dataset.json"), dataset.join("dataset.json")).unwrap();
    // One of the two lesions is unknown to the truth's rater.
    let labels = nifti::read_integers(&predicted.join("sub-01.nii.gz")).unwrap();
    let known = labels.volume.map(|&label| if label == 2 { 3_u8 } else { label as u8 });
    nifti::write(&truth.join("sub-01.nii.gz"), &known, Some(&labels.header)).unwrap();
    let out = folder.path().join("out");
    let line = ["evaluate", "--truth", text(&truth), "--pred", text(&predicted), "-o", text(&out)];
    let (code, told, log) = run(&[&line[..], &["--profile", "metrics-reloaded"]].concat());
    assert_eq!(code, 0, "{log}");
    assert!(told.contains("left out") && told.contains("1 NHID"), "{told}");
    let evaluation = json(&out.join("evaluation.json"));
    assert_eq!(evaluation["subjects"][0]["subject"], "sub-01");
    // The curve of microbleeds is there, of the archive's probabilities: 0.75 in the lesion.
    let curve = &evaluation["froc"][0][1];
    assert_eq!(
        (&curve["average_precision"], &curve["points"][0]["threshold"]),
        (&1.0.into(), &0.75.into())
    );

    // A BIDS dataset's truth goes with them, too.
    let bids = folder.path().join("bids");
    fs::create_dir(&bids).unwrap();
    let own = bids.join("sub-01_seg-lesions_dseg.nii.gz");
    nifti::write(&own, &labels.volume.map(|&label| label as u8), Some(&labels.header)).unwrap();
    let line = ["evaluate", "--truth", text(&bids), "--pred", text(&predicted), "-o", text(&out)];
    let (code, told, log) = run(&line);
    assert_eq!(code, 0, "{log}");
    assert!(told.contains("NHID: 1 true, 1 predicted, 1 matched"), "{told}");
    fs::remove_file(dataset.join("dataset.json")).unwrap();
    let line = ["evaluate", "--truth", text(&truth), "--pred", text(&predicted), "-o", text(&out)];
    refused(&line, &["no lesion label maps", "dataset.json"]);
}

#[test]
fn a_copy_of_a_challenges_data_is_read_and_measured_by_its_rules() {
    let folder = tempfile::tempdir().unwrap();
    let task = folder.path().join("VALDO/Task2");
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    let made = deepmir_testing::write_coarse_subject(&folder.path().join("made"), 1);
    fs::create_dir_all(task.join("sub-101")).unwrap();
    let file = |ending: &str| task.join(format!("sub-101/sub-101_space-T2S_{ending}.nii.gz"));
    // As in the challenge: without skull, T2 not a number outside the brain, microbleeds alone.
    let mut brain = nifti::read(&made.swi).unwrap();
    let middle = brain.volume[[12, 12, 6]];
    brain.volume.data_mut().iter_mut().filter(|v| **v < 0.3 * middle).for_each(|v| *v = 0.0);
    nifti::write(&file("desc-masked_T2S"), &brain.volume, Some(&brain.header)).unwrap();
    let mut t2 = nifti::read(&made.t2w).unwrap();
    t2.volume.data_mut()[0] = f32::NAN;
    nifti::write(&file("desc-masked_T2"), &t2.volume, Some(&t2.header)).unwrap();
    let labels = nifti::read_integers(&made.truth).unwrap();
    let microbleeds = labels.volume.map(|&label| u8::from(label == 1));
    nifti::write(&file("CMB"), &microbleeds, Some(&labels.header)).unwrap();
    fs::copy(file("CMB"), other.join("sub-101_prediction.nii.gz")).unwrap();
    let out = folder.path().join("out");
    let valdo = text(task.parent().unwrap());
    let line = ["study", "external", "valdo", valdo, "-o", text(&out), "--other", text(&other)];
    let (code, told, log) = run(&line);
    assert_eq!(code, 0, "{log}");
    assert!(told.contains("absolute count difference") && !told.contains("(ours only)"), "{told}");
    for name in ["evaluation", "evaluation-other"] {
        let table = fs::read_to_string(out.join(name).join("valdo_subjects.tsv")).unwrap();
        assert_eq!(table.lines().count(), 2, "{table}");
    }
    let own = fs::read_to_string(out.join("evaluation-other/valdo.tsv")).unwrap();
    assert!(own.lines().any(|line| line.starts_with("CMB\tf1\t1\t1.0000")), "{own}");
    assert!(out.join("bids/sub-101/anat/sub-101_T2starw.nii.gz").is_symlink());
    // Again it continues; a case without its truth is told.
    let (code, _, log) = run(&line);
    assert_eq!(code, 0, "{log}");
    fs::remove_file(other.join("sub-101_prediction.nii.gz")).unwrap();
    refused(&line, &["no masks of sub-101"]);
    fs::remove_file(task.join("sub-101/sub-101_space-T2S_CMB.nii.gz")).unwrap();
    refused(&line, &["sub-101_space-T2S_CMB.nii.gz", "copy it again"]);
    refused(&["study", "external", "valdo", text(&other), "-o", text(&out)], &["no cases"]);
}

#[test]
fn places_of_microbleeds_in_a_copy_of_aibl_are_measured_by_their_distance() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("PublicDataShare_2020");
    let made = deepmir_testing::write_coarse_subject(&folder.path().join("made"), 1);
    for name in ["rCMB_DefiniteSubject/122_T1_MRI_SWI", "NoCMBSubject/7_T0_MRI_SWI"] {
        let place = root.join(format!("{name}_BFC_50mm_HM.nii.gz"));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(&made.swi, place).unwrap();
    }
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../deepmir-study/tests/fixtures/aibl.xlsx");
    fs::copy(table, root.join("rCMBInformationInfo.xlsx")).unwrap();
    let out = folder.path().join("out");
    let line = ["study", "external", "aibl", text(&root), "-o", text(&out)];
    let (code, told, log) = run(&line);
    assert_eq!(code, 0, "{log}");
    assert!(told.contains("CMB: 2 true"), "{told}");
    let evaluation = json(&out.join("evaluation/evaluation.json"));
    assert_eq!(evaluation["subjects"].as_array().unwrap().len(), 2);
    refused(
        &["study", "external", "aibl", text(&out), "-o", text(&out)],
        &["PublicDataShare_2020"],
    );
}
