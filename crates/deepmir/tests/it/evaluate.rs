//! `deepmir evaluate`.

use std::fs;
use std::path::Path;

use deepmir_volume::{Volume, nifti};

use crate::support::{refused, run, text};

/// Predictions that are the truth with one CMB taken away and a false one put in.
fn predictions(dataset: &Path, out: &Path, numbers: std::ops::Range<u32>) {
    fs::create_dir_all(out).unwrap();
    for number in numbers {
        let subject = deepmir_testing::write_subject(dataset, number);
        let truth = nifti::read_integers(&subject.truth).unwrap().volume;
        let mut first = None;
        let mut labels: Volume<u8> = truth.map(|&label| label as u8);
        for index in 0..labels.data().len() {
            let [x, y, _] = labels.grid().voxel(index);
            if labels.data()[index] != 1 {
                continue;
            }
            let (x0, y0) = *first.get_or_insert((x, y));
            if x.abs_diff(x0) < 9 && y.abs_diff(y0) < 9 {
                labels.data_mut()[index] = 0;
            }
        }
        for x in 30..33 {
            labels[[x, 31, 3]] = 1;
        }
        let name = format!("{}_acq-swi_seg-lesions_dseg.nii.gz", subject.id);
        nifti::write(&out.join(name), &labels, None).unwrap();
    }
}

#[test]
fn a_cohort_is_compared_and_the_table_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let (pred, out) = (folder.path().join("pred"), folder.path().join("out"));
    predictions(folder.path(), &pred, 1..5);
    let truth = folder.path().join("derivatives/truth");
    let (code, stdout, told) =
        run(&["evaluate", "--truth", text(&truth), "--pred", text(&pred), "-o", text(&out)]);
    assert_eq!(code, 0, "{told}");
    let settings = insta::Settings::clone_current();
    let mut settings = settings;
    settings.add_filter(r"/\S+/evaluation\.json", "[out]/evaluation.json");
    settings.bind(|| insta::assert_snapshot!("evaluation", stdout));

    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(out.join("evaluation.json")).unwrap()).unwrap();
    assert_eq!(json["classes"][0]["class"], "CMB");
    assert_eq!(json["classes"][0]["truth"], 12);
    assert_eq!(json["classes"][0]["matched"], 8);
    assert_eq!(json["classes"][1]["matched"], 12);
    assert_eq!(json["subjects"].as_array().unwrap().len(), 4);
    let pooled = fs::read_to_string(out.join("pooled.tsv")).unwrap();
    assert!(pooled.contains("CMB\tsensitivity\t0.6667\t0.6667\t0.6667"), "{pooled}");
    assert_eq!(fs::read_to_string(out.join("subjects.tsv")).unwrap().lines().count(), 9);
}

#[test]
fn predictions_where_nobody_knows_are_left_out_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let (pred, out) = (folder.path().join("pred"), folder.path().join("out"));
    predictions(folder.path(), &pred, 1..3);
    let truth = folder.path().join("derivatives/truth");
    let evaluated = || {
        let (code, told, log) =
            run(&["evaluate", "--truth", text(&truth), "--pred", text(&pred), "-o", text(&out)]);
        assert_eq!(code, 0, "{log}");
        let json = fs::read_to_string(out.join("evaluation.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let counts = |class: usize| {
            let of = &json["classes"][class];
            ["truth", "predicted", "matched", "left_out"].map(|name| of[name].as_u64().unwrap())
        };
        (counts(0), counts(1), told)
    };
    let (cmb, nhid, told) = evaluated();
    assert_eq!((cmb, nhid), ([6, 6, 4, 0], [6, 6, 6, 0]));
    assert!(!told.contains("left out"), "{told}");

    // Nobody knows of three lesions of each scan any more.
    let labels: Vec<deepmir_testing::MadeUpSubject> = (1..3)
        .map(|number| {
            let subject = deepmir_testing::write_subject(folder.path(), number);
            deepmir_testing::forget_lesions(&subject, |n| n % 2 == 0);
            subject
        })
        .collect();
    let (cmb, nhid, told) = evaluated();
    assert_eq!(cmb[0] + nhid[0], 6, "true lesions left");
    assert_eq!(cmb[1] + nhid[1] + cmb[3] + nhid[3], 12, "every prediction");
    // The false one in each scan counts as before, and every lesion that is still labelled.
    assert_eq!(cmb[1] - cmb[2], 2);
    assert_eq!(nhid[1], nhid[2]);
    let line = format!("{} NHID predicted", nhid[3]);
    assert!(told.contains("desc-unknown_mask") && told.contains(&line), "{told}");
    let table = fs::read_to_string(out.join("subjects.tsv")).unwrap();
    assert!(table.lines().next().unwrap().ends_with("\tleft_out"), "{table}");

    let mask = labels[0].truth.with_file_name("sub-01_desc-unknown_mask.nii.gz");
    let mut other = nifti::read_integers(&mask).unwrap().volume;
    other[[3, 3, 3]] = 3;
    nifti::write(&mask, &other, None).unwrap();
    let arguments = ["evaluate", "--truth", text(&truth), "--pred", text(&pred), "-o", text(&out)];
    refused(&arguments, &["the value 3", "write 1 where nobody knows", "unknown_mask"]);
    deepmir_testing::write_coarse_subject(&folder.path().join("coarse"), 1);
    let coarse = folder.path().join("coarse/derivatives/truth/sub-01/anat");
    fs::copy(coarse.join("sub-01_acq-swi_seg-lesions_dseg.nii.gz"), &mask).unwrap();
    let zeros = nifti::read_integers(&mask).unwrap().volume.map(|_| 0_u8);
    nifti::write(&mask, &zeros, None).unwrap();
    refused(&arguments, &["grid", "unknown_mask"]);
}

#[test]
fn small_lesions_and_classes_can_be_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let (pred, out) = (folder.path().join("pred"), folder.path().join("out"));
    predictions(folder.path(), &pred, 1..2);
    let truth = folder.path().join("derivatives/truth");
    // The false one has 3 voxels of 0.84 mm³.
    let (code, _, told) = run(&[
        "evaluate",
        "--truth",
        text(&truth),
        "--pred",
        text(&pred),
        "-o",
        text(&out),
        "--min-volume",
        "2.6",
        "--classes",
        "CMB",
        "--match",
        "centre:5",
    ]);
    assert_eq!(code, 0, "{told}");
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(out.join("evaluation.json")).unwrap()).unwrap();
    assert_eq!(json["classes"].as_array().unwrap().len(), 1);
    assert_eq!(json["classes"][0]["predicted"], 2);
    assert_eq!(json["settings"]["matching"], "centre:5");
}

#[test]
fn missing_predictions_and_wrong_labels_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (pred, out) = (folder.path().join("pred"), folder.path().join("out"));
    predictions(folder.path(), &pred, 1..3);
    let truth = folder.path().join("derivatives/truth");
    let arguments = ["evaluate", "--truth", text(&truth), "--pred", text(&pred), "-o", text(&out)];

    let second = pred.join("sub-02_acq-swi_seg-lesions_dseg.nii.gz");
    let good = fs::read(&second).unwrap();
    fs::remove_file(&second).unwrap();
    refused(&arguments, &["no prediction for sub-02", "--allow-missing"]);
    assert_eq!(run(&[&arguments[..], &["--allow-missing"]].concat()).0, 0);

    let labels =
        nifti::read_integers(&pred.join("sub-01_acq-swi_seg-lesions_dseg.nii.gz")).unwrap();
    let wrong = labels.volume.map(|&label| if label == 2 { 7_u8 } else { label as u8 });
    nifti::write(&second, &wrong, None).unwrap();
    refused(&arguments, &["7 (", "0 (background), 1 (CMB) and 2 (NHID)", "sub-02"]);

    fs::write(&second, good).unwrap();
    fs::remove_dir_all(truth.join("sub-01")).unwrap();
    refused(&arguments, &["no true label map for sub-01"]);
    refused(
        &["evaluate", "--truth", text(&second), "--pred", text(&pred), "-o", text(&out)],
        &["two files"],
    );
}

#[test]
fn the_measures_of_a_challenge_are_written_and_printed_beside_ours() {
    let folder = tempfile::tempdir().unwrap();
    let (pred, out) = (folder.path().join("pred"), folder.path().join("out"));
    predictions(folder.path(), &pred, 1..4);
    let truth = folder.path().join("derivatives/truth");
    let arguments = ["evaluate", "--truth", text(&truth), "--pred", text(&pred), "-o", text(&out)];
    let (code, told, log) = run(&[&arguments[..], &["--profile", "valdo"]].concat());
    assert_eq!(code, 0, "{log}");
    assert!(told.contains("sensitivity") && told.contains("NHID (ours only)"), "{told}");

    let table = fs::read_to_string(out.join("valdo_subjects.tsv")).unwrap();
    let cells = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
    let mut lines = table.lines().map(cells);
    let header = lines.next().unwrap();
    assert_eq!(header[5..], VALDO);
    let rows: Vec<Vec<String>> = lines.collect();
    assert_eq!(rows.len(), 6);
    // One of three true ones is missed and one of three predicted is false; what is found is whole.
    assert_eq!(rows[0][..5], ["sub-01", "CMB", "3", "3", "2"]);
    assert_eq!((&*rows[0][5], &*rows[0][7], &*rows[0][8]), ("1.0000", "0.6667", "0.0000"));
    assert_eq!(rows[1][5..], ["1.0000", "0.0000", "1.0000", "0.0000"]);
    let pooled = fs::read_to_string(out.join("valdo.tsv")).unwrap();
    let f1 = "CMB\tf1\t3\t0.6667\t0.6667\t0.6667\t0.6667\t0.0000";
    assert!(pooled.lines().any(|line| line == f1), "{pooled}");
    assert_eq!(pooled.lines().count(), 9);
    // Our own tables are there as without it.
    assert_eq!(fs::read_to_string(out.join("subjects.tsv")).unwrap().lines().count(), 7);
    refused(&[&arguments[..], &["--profile", "isles"]].concat(), &["isles", "valdo"]);

    let (code, told, log) = run(&[&arguments[..], &["--profile", "metrics-reloaded"]].concat());
    assert_eq!(code, 0, "{log}");
    assert!(told.contains("panoptic quality") && told.contains("FROC score"), "{told}");
    let table = fs::read_to_string(out.join("metrics_reloaded_subjects.tsv")).unwrap();
    let row =
        "sub-01\tCMB\t3\t3\t2\t2\t0.6667\t0.6667\t0.6667\t0.6667\t0.6667\t1.0000\t1.0000\t1.0000";
    assert!(table.lines().any(|line| line == row), "{table}");
    let pooled = fs::read_to_string(out.join("metrics_reloaded.tsv")).unwrap();
    assert_eq!(pooled.lines().count(), 17);
}

const VALDO: [&str; 4] =
    ["dice", "absolute_volume_difference_mm3", "f1", "absolute_count_difference"];
