//! Evaluations that an earlier version did on the wrong maps without a word.

use std::fs;
use std::path::{Path, PathBuf};

use deepmir_volume::{Affine, Grid, Volume, nifti};

use crate::support::{refused, run, text};

/// Truth and predictions of some scans: one lesion, or none.
struct Maps {
    folder: tempfile::TempDir,
}

impl Maps {
    fn new(scans: &[&str]) -> Self {
        let maps = Self { folder: tempfile::tempdir().unwrap() };
        for scan in scans {
            maps.write("truth", scan, 1);
            maps.write("pred", scan, 1);
        }
        maps
    }

    fn path(&self, side: &str, scan: &str) -> PathBuf {
        self.folder.path().join(side).join(format!("{scan}_seg-lesions_dseg.nii.gz"))
    }

    fn write(&self, side: &str, scan: &str, label: u8) -> PathBuf {
        let grid = Grid::new([6, 6, 4], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let map =
            Volume::from_fn(grid, |[i, j, k]| if i < 2 && j < 2 && k < 2 { label } else { 0 });
        let path = self.path(side, scan);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        nifti::write(&path, &map, None).unwrap();
        path
    }

    fn sidecar(&self, side: &str, scan: &str, text: &str) {
        let path = self.folder.path().join(side);
        fs::write(path.join(format!("{scan}_seg-lesions_dseg.json")), text).unwrap();
    }

    fn side(&self, name: &str) -> String {
        text(&self.folder.path().join(name)).to_owned()
    }

    fn evaluate(&self, more: &[&str]) -> (i32, String, String) {
        let (truth, pred, out) = (self.side("truth"), self.side("pred"), self.side("out"));
        let all = ["evaluate", "--truth", &truth, "--pred", &pred, "-o", &out];
        run(&[&all[..], more].concat())
    }

    #[track_caller]
    fn refused(&self, truth: &Path, pred: &Path, words: &[&str]) {
        let out = self.side("out");
        refused(&["evaluate", "--truth", text(truth), "--pred", text(pred), "-o", &out], words);
    }
}

#[test]
fn tissue_maps_are_no_truth() {
    let maps = Maps::new(&["sub-01"]);
    let lesions = maps.path("truth", "sub-01");
    fs::rename(&lesions, maps.folder.path().join("truth/sub-01_desc-aseg_dseg.nii.gz")).unwrap();
    let (truth, pred) = (maps.folder.path().join("truth"), maps.folder.path().join("pred"));
    maps.refused(&truth, &pred, &["no lesion label maps", "sub-01_desc-aseg_dseg", "--truth"]);
    fs::create_dir(maps.folder.path().join("empty")).unwrap();
    maps.refused(&pred, &maps.folder.path().join("empty"), &["no lesion label maps", "--pred"]);
}

#[test]
fn truth_and_prediction_in_each_others_place_are_told() {
    let maps = Maps::new(&["sub-01"]);
    maps.sidecar("truth", "sub-01", "{\"Model\": \"m\"}");
    let (code, _, told) = maps.evaluate(&[]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("in each other's place"), "{told}");
    maps.sidecar("pred", "sub-01", "{\"Model\": \"m\"}");
    assert!(!maps.evaluate(&[]).2.contains("in each other's place"), "two models are compared");
    let truth = maps.side("truth");
    let one = maps.path("truth", "sub-01");
    for side in [&truth, text(&one)] {
        let (code, _, told) =
            run(&["evaluate", "--truth", side, "--pred", side, "-o", &maps.side("out")]);
        assert!(code == 0 && told.contains("the same file"), "{told}");
    }
    let other = maps.write("pred", "sub-02", 1);
    maps.refused(&one, &other, &["two scans, sub-01 and sub-02"]);
}

#[test]
fn scans_that_the_model_learned_from_are_told() {
    let maps = Maps::new(&["sub-01", "sub-02"]);
    for scan in ["sub-01", "sub-02"] {
        maps.sidecar("pred", scan, "{\"Model\": \"m\", \"LearnedFrom\": false}");
    }
    let (_, _, told) = maps.evaluate(&[]);
    assert!(!told.contains("learned from"), "{told}");
    maps.sidecar("pred", "sub-02", "{\"Model\": \"m\", \"LearnedFrom\": true}");
    let (_, _, told) = maps.evaluate(&[]);
    assert!(told.contains("learned from 1 of the 2 scans (sub-02)"), "{told}");
}

#[test]
fn scans_without_a_prediction_and_without_lesions_are_told() {
    let maps = Maps::new(&["sub-01", "sub-02", "plain"]);
    maps.write("truth", "sub-01", 0);
    fs::remove_file(maps.path("pred", "sub-02")).unwrap();
    fs::remove_file(maps.path("truth", "plain")).unwrap();
    let (code, _, told) = maps.evaluate(&["--allow-missing"]);
    assert!(code == 1 && told.contains("no true label map for plain"), "{told}");
    fs::remove_file(maps.path("pred", "plain")).unwrap();
    let (code, out, told) = maps.evaluate(&["--allow-missing"]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("left out, having no prediction: sub-02"), "{told}");
    assert!(told.contains("no true CMB in 1 scan, ") && out.contains("n/a"), "{told}");
}

#[test]
fn visits_of_one_patient_are_drawn_together() {
    let scans = ["p1_v1", "p1_v2", "p2_v1", "p2_v2"];
    let maps = Maps::new(&scans);
    // One patient is found, and one is not.
    maps.write("pred", "p2_v1", 0);
    maps.write("pred", "p2_v2", 0);
    let sensitivity = || {
        let path = maps.folder.path().join("out/evaluation.json");
        let json: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        json["classes"][0]["metrics"][0][1].clone()
    };
    let (_, _, told) = maps.evaluate(&["--resamples", "200"]);
    assert!(told.contains("p1_v1 and p1_v2 look like visits"), "{told}");
    let groups = maps.folder.path().join("groups.csv");
    fs::write(&groups, "id;patient\r\np1_v1;1\r\np1_v2;1\r\np2_v1;2\r\np2_v2;2\r\n").unwrap();
    let (_, _, told) = maps.evaluate(&["--groups", text(&groups), "--resamples", "200"]);
    assert!(!told.contains("look like visits"), "{told}");
    // Of two patients drawn with replacement all, none or half of the lesions are found.
    let of = sensitivity();
    assert_eq!((of["low"].as_f64(), of["high"].as_f64()), (Some(0.0), Some(1.0)), "{of}");
}
