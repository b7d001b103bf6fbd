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
