//! Trainings that an earlier version did on the wrong data without a word.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use deepmir_net::train::SavedSettings;
use deepmir_volume::{Volume, nifti};

use crate::support::{QUICK, refused, run, text};

/// A folder with a quick training's settings and some subjects, and a table of them.
struct Table {
    folder: tempfile::TempDir,
    truths: Vec<PathBuf>,
}

impl Table {
    /// `rows` are the cells before the files: id, perhaps patient.
    fn new(header: &str, rows: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("quick.toml"), QUICK).unwrap();
        let mut table = format!("{header},truth,swi,qsm,t2w\n");
        let mut truths = Vec::new();
        for (n, row) in rows.iter().enumerate() {
            let subject = deepmir_testing::write_subject(folder.path(), n as u32 + 1);
            let files = [&subject.truth, &subject.swi, &subject.qsm, &subject.t2w];
            let files = files.map(|path| text(path).to_owned());
            writeln!(table, "{row},{}", files.join(",")).unwrap();
            truths.push(subject.truth);
        }
        fs::write(folder.path().join("table.csv"), table).unwrap();
        Self { folder, truths }
    }

    fn path(&self, name: &str) -> String {
        text(&self.folder.path().join(name)).to_owned()
    }

    /// `deepmir train table.csv -o out` with more arguments.
    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let (table, out, config) =
            (self.path("table.csv"), self.path("out"), self.path("quick.toml"));
        let all = ["train", &table, "-o", &out, "--config", &config];
        all.iter().chain(more).map(|word| (*word).to_owned()).collect()
    }

    fn train(&self, more: &[&str]) -> (i32, String, String) {
        let arguments = self.arguments(more);
        run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[track_caller]
    fn refused(&self, more: &[&str], words: &[&str]) {
        let arguments = self.arguments(more);
        refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), words);
    }
}

/// Keeps the values of a label map for which `keep` is true.
fn relabel(path: &Path, keep: impl Fn(i32) -> i32) {
    let labels = nifti::read_integers(path).unwrap().volume;
    let labels: Volume<i16> = labels.map(|&label| keep(label) as i16);
    nifti::write(path, &labels, None).unwrap();
}

#[test]
fn a_training_without_a_lesion_is_refused_before_it_begins() {
    let table = Table::new("id", &["a", "b", "c"]);
    for truth in &table.truths {
        relabel(truth, |label| if label == 2 { 0 } else { label });
    }
    table.refused(&[], &["no NHID in these label maps", "--classes CMB", "table.csv"]);
    relabel(&table.truths[2], |_| 0);
    let validate = ["--classes", "CMB", "--validation-label", "c"];
    table.refused(&validate, &["to choose weights and thresholds on", "of c;", "sub-03"]);
    for truth in &table.truths[..2] {
        relabel(truth, |_| 0);
    }
    table.refused(&[], &["no lesion (CMB or NHID) to learn from", "sub-0"]);
    table.refused(&["--folds", "3"], &["fold 1 of 3", "fewer --folds"]);
    assert!(!table.folder.path().join("out").exists());
}

#[test]
fn a_tissue_map_under_a_lesions_name_is_refused_with_its_values() {
    let table = Table::new("id", &["a", "b", "c"]);
    relabel(&table.truths[1], |label| if label == 2 { 2035 } else { label });
    table.refused(&[], &["2035 (", "1 (CMB) and 2 (NHID)", "sub-02"]);
    let probabilities = nifti::read_integers(&table.truths[0]).unwrap().volume;
    let probabilities = probabilities.map(|&label| label as f32 * 0.37);
    nifti::write(&table.truths[1], &probabilities, None).unwrap();
    table.refused(&[], &["sub-02"]);
}

#[test]
fn label_maps_of_another_pipeline_are_not_learned_from() {
    let table = Table::new("id", &["a", "b", "c"]);
    let tissues = table.folder.path().join("derivatives/fast/sub-01/anat");
    fs::create_dir_all(&tissues).unwrap();
    fs::copy(&table.truths[0], tissues.join("sub-01_dseg.nii.gz")).unwrap();
    let (data, out) = (table.path(""), table.path("bids-out"));
    let quick = table.path("quick.toml");
    let train = ["train", &data, "-o", &out, "--config", &quick, "--steps", "1"];
    let (code, _, told) = run(&train);
    assert_eq!(code, 0, "the lesions' folder is found beside it: {told}");
    fs::rename(table.folder.path().join("derivatives/truth"), table.path("elsewhere")).unwrap();
    refused(&train, &["no lesion label maps", "sub-01_dseg.nii.gz", "--labels"]);
}

#[test]
fn visits_of_one_patient_stay_on_one_side() {
    let rows = ["pat1_v1", "pat1_v2", "pat2_v1", "pat2_v2"];
    let table = Table::new("id", &rows);
    let (code, _, told) = table.train(&["--folds", "2", "--steps", "1", "--seed", "3"]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("look like visits of one patient"), "{told}");

    let grouped =
        Table::new("id,patient", &["pat1_v1,pat1", "pat1_v2,pat1", "pat2_v1,pat2", "pat2_v2,pat2"]);
    let (code, _, told) = grouped.train(&["--folds", "2", "--steps", "1", "--seed", "3"]);
    assert_eq!(code, 0, "{told}");
    assert!(!told.contains("look like visits"), "{told}");
    let saved = SavedSettings::read(&grouped.folder.path().join("out/fold-1")).unwrap().unwrap();
    let patient = |id: &String| id[..4].to_owned();
    let side = |ids: &[String]| ids.iter().map(patient).collect::<std::collections::BTreeSet<_>>();
    assert!(side(&saved.training_subjects).is_disjoint(&side(&saved.validation_subjects)));
    grouped.refused(&["--validation-label", "pat1_v1"], &["pat1_v2 is of the same patient"]);
    grouped.refused(&["--held-out", "pat1_v1"], &["pat1_v2 is of the same patient"]);
    grouped.refused(&["--folds", "3"], &["4 subjects of 2 patients", "give 2"]);

    let groups = table.folder.path().join("patients.tsv");
    fs::write(&groups, "participant_id\tpatient\npat1_v1\tp\npat1_v2\tp\n").unwrap();
    let more = ["--groups", text(&groups), "--validation-label", "pat1_v1"];
    table.refused(&more, &["pat1_v2 is of the same patient"]);
    fs::write(&groups, "participant_id\tpatient\nsomebody\tp\n").unwrap();
    table.refused(&more, &["no subject of the data is named here", "pat1_v1", "patients.tsv"]);
}

#[test]
fn a_training_is_not_resumed_with_other_files() {
    let table = Table::new("id", &["a", "b", "c"]);
    assert_eq!(table.train(&["--steps", "4"]).0, 0);
    let good = fs::read(&table.truths[1]).unwrap();
    relabel(&table.truths[1], |label| if label == 2 { 0 } else { label });
    let resume = ["--steps", "4", "--resume", "-q"];
    table.refused(&resume, &["the files are others", "truth of b", "begin anew", "training.toml"]);
    fs::write(&table.truths[1], good).unwrap();
    // The same files, written anew and in other rows, are no others.
    let csv = table.folder.path().join("table.csv");
    let text = fs::read_to_string(&csv).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let rows: String = rows.lines().rev().map(|row| format!("{row}\n")).collect();
    fs::write(&csv, format!("{header}\n{rows}")).unwrap();
    assert_eq!(table.train(&resume).0, 0);
    table.refused(&["--steps", "4", "--resume", "--nan-to-zero", "-q"], &["nan_to_zero"]);
}

#[test]
fn the_same_scan_on_both_sides_is_told() {
    let table = Table::new("id", &["a", "b", "c"]);
    let csv = table.folder.path().join("table.csv");
    let copy = |from: &str, to: &str| {
        let path =
            |id: &str| table.folder.path().join(format!("{id}/anat/{id}_acq-swi_T2starw.nii.gz"));
        fs::copy(path(from), path(to)).unwrap();
    };
    copy("sub-01", "sub-03");
    assert!(csv.is_file());
    let (code, _, told) = table.train(&["--steps", "1", "--validation-label", "c"]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("warning: a and c are the same scan"), "{told}");

    // And the model knows the scans that it learned from, whatever they are called later.
    let model = table.path("out/model");
    let other = fs::read_to_string(&csv).unwrap().replace("\na,", "\nzz,");
    let renamed = table.folder.path().join("renamed.csv");
    fs::write(&renamed, other).unwrap();
    let (_, _, told) = run(&["model", "tune", &model, text(&renamed)]);
    assert!(told.contains("out learned from 3 of these scans (b, c, zz)"), "{told}");
}

/// A limit on file sizes makes writes fail in the middle as a full disk does, without needing one.
#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_at_a_checkpoint_is_told() {
    let table = Table::new("id", &["a", "b", "c"]);
    let program = assert_cmd::cargo::cargo_bin!("deepmir");
    let cache = table.path("cache");
    // The prepared images fit; the checkpoint of 3129 parameters, with its moments, does not.
    let begin = table.arguments(&["--steps", "10", "--cache", &cache]);
    let first =
        std::process::Command::new(program).args(&begin[..]).arg("--quiet").output().unwrap();
    assert!(first.status.success());
    fs::remove_dir_all(table.path("out")).unwrap();
    let words: Vec<String> = begin.iter().map(|word| format!("'{word}'")).collect();
    let limited = format!("trap '' XFSZ; ulimit -f 16; exec {program:?} {}", words.join(" "));
    let output = std::process::Command::new("sh").args(["-c", &limited]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot write") && told.contains("nothing was left behind"), "{told}");
    assert!(!table.folder.path().join("out/model").exists());
}
