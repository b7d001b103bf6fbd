//! `deepmir study`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use deepmir_pipeline::lock::{Lock, Taken};

use crate::support::{QUICK, deepmir, refused, run, text};

/// A dataset of so many subjects and a study of it: two sets of inputs, three folds, seconds each.
struct Scene {
    folder: tempfile::TempDir,
}

const STUDY: &str = "\
data = [\"bids\"]
inputs = [\"SWI\", \"SWI+QSM\"]
[split]
folds = 3
[evaluation]
min_volume_mm3 = 1.0
resamples = 200
[training]
steps = 12
";

/// Tables that must be the same however the study came about.
const TABLES: [&str; 8] = [
    "arms.tsv",
    "cells.tsv",
    "comparisons.tsv",
    "confusion.tsv",
    "strata.tsv",
    "mistakes.tsv",
    "plan.tsv",
    "results.json",
];

impl Scene {
    fn new(subjects: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        (1..=subjects).for_each(|number| {
            deepmir_testing::write_subject(&folder.path().join("bids"), number);
        });
        let scene = Self { folder };
        scene.config("study.toml", STUDY);
        scene
    }

    /// A study's file, with the network and training of [`QUICK`].
    fn config(&self, name: &str, settings: &str) -> PathBuf {
        let quick = QUICK.replacen("[training]\n", "", 1);
        let (network, training) = quick.split_once("batch_size").unwrap();
        let settings = if settings.contains("[training]") {
            settings.to_owned()
        } else {
            settings.to_owned() + "[training]\nsteps = 10\n"
        };
        let path = self.folder.path().join(name);
        let text = format!("{settings}batch_size{training}{network}");
        fs::write(&path, text).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn table(&self, study: &str, name: &str) -> String {
        fs::read_to_string(self.path(study).join(name)).unwrap()
    }
}

/// The rows of a table as columns by name.
fn rows(table: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut lines = table.lines();
    let header: Vec<&str> = lines.next().unwrap().split('\t').collect();
    lines
        .map(|line| {
            let cells = line.split('\t').map(str::to_owned);
            header.iter().map(|name| (*name).to_owned()).zip(cells).collect()
        })
        .collect()
}

/// No number is missing without a reason beside it.
fn nothing_missing_unexplained(study: &Path) {
    for name in ["arms.tsv", "cells.tsv", "comparisons.tsv"] {
        let table = fs::read_to_string(study.join(name)).unwrap();
        assert!(!table.contains("NaN") && !table.contains("inf"), "{name}");
        for row in rows(&table) {
            let missing = row.values().any(|cell| cell == "n/a");
            assert!(!missing || !row["note"].is_empty(), "{name}: {row:?}");
        }
    }
    let page = fs::read_to_string(study.join("study.html")).unwrap();
    // Pictures are letters that may spell anything.
    let words = page.split("base64,").enumerate().map(|(n, part)| match n {
        0 => part,
        _ => part.split_once('"').map_or("", |(_, rest)| rest),
    });
    assert!(!words.collect::<String>().contains("NaN"), "the page");
}

#[test]
fn a_study_runs_to_a_page_and_is_not_done_twice() {
    let scene = Scene::new(6);
    let config = scene.path("study.toml");
    let (code, out, told) = run(&["study", text(&config)]);
    assert_eq!(code, 0, "{told}");
    assert!(out.contains("deepmir_SWI+QSM_CMB+NHID"), "{out}");
    for name in TABLES {
        assert!(scene.path("study").join(name).is_file(), "{name}");
    }
    nothing_missing_unexplained(&scene.path("study"));
    let plan = rows(&scene.table("study", "plan.tsv"));
    assert_eq!(plan.len(), 6);
    for row in &plan {
        let cell = scene.path("study").join(&row["folder"]);
        assert!(cell.join("model/model.toml").is_file() && cell.join("done.json").is_file());
        assert!(!cell.join("training").exists(), "checkpoints are cleared away");
    }
    let page = scene.table("study", "study.html");
    for words in ["Paired comparisons", "Sensitivity against false positives", "data:image/jpeg"] {
        assert!(page.contains(words), "{words}");
    }
    // Everyone is predicted by every arm, by a network that never saw them.
    let splits = rows(&scene.table("study", "splits.tsv"));
    for number in 1..=6 {
        let scan = format!("sub-{number:02}");
        let held = |row: &&std::collections::BTreeMap<String, String>| {
            row["scan"] == scan && row["role"] == "held_out"
        };
        assert_eq!(splits.iter().filter(held).count(), 1);
    }

    // Again: nothing is trained, nothing changes.
    let before: Vec<String> = TABLES.iter().map(|name| scene.table("study", name)).collect();
    let (code, _, told) = run(&["study", text(&config)]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("6 of 6 cells are finished already"), "{told}");
    assert!(!told.contains("cell 1 of 6"), "{told}");
    let after: Vec<String> = TABLES.iter().map(|name| scene.table("study", name)).collect();
    assert_eq!(before, after);

    // More inputs: only the new cells are done. Another threshold of sizes: none.
    let more = STUDY.replace("\"SWI+QSM\"]", "\"SWI+QSM\", \"QSM\"]");
    scene.config("study.toml", &more.replace("min_volume_mm3 = 1.0", "min_volume_mm3 = 0.0"));
    let (code, _, told) = run(&["study", text(&config)]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("6 of 9 cells are finished already"), "{told}");
}

#[test]
fn a_study_killed_ten_times_ends_in_the_same_tables() {
    let scene = Scene::new(5);
    let config = scene.path("study.toml");
    let (whole, killed) = (scene.path("whole"), scene.path("killed"));
    let started = Instant::now();
    let (code, _, told) = run(&["study", text(&config), "-o", text(&whole)]);
    assert_eq!(code, 0, "{told}");
    let takes = started.elapsed();

    let mut state = 12_345_u32;
    for _ in 0..10 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let share = f64::from(state >> 8) / f64::from(1 << 24);
        let mut child = deepmir(&["study", text(&config), "-o", text(&killed)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(takes.mul_f64(0.35 * share) + Duration::from_millis(30));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (code, _, told) = run(&["study", text(&config), "-o", text(&killed)]);
    assert_eq!(code, 0, "{told}");
    for name in TABLES {
        let read = |folder: &Path| fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(read(&whole), read(&killed), "{name}");
    }
}

#[test]
fn cells_can_be_done_apart_and_collected() {
    let scene = Scene::new(4);
    let config =
        scene.config("one.toml", "data = [\"bids\"]\ninputs = [\"SWI\"]\n[split]\nfolds = 2\n");
    let config = text(&config);
    refused(&["study", "collect", config], &["2 of 2 cells are not finished"]);
    refused(&["study", "collect", config, "--partial"], &["no fold yet"]);
    refused(&["study", "cell", config, "3"], &["no cell 3", "1 to 2"]);
    let (code, out, told) = run(&["study", "cell", config, "2"]);
    assert_eq!(code, 0, "{told}");
    assert!(Path::new(out.trim()).join("done.json").is_file(), "{out}");
    let (code, _, told) = run(&["study", "collect", config, "--partial"]);
    assert_eq!(code, 0, "{told}");
    let page = scene.table("one", "study.html");
    assert!(page.contains("Unfinished: 1 of 2 cells"));
    nothing_missing_unexplained(&scene.path("one"));

    // A cell that another process is at is left to it.
    let plan = rows(&scene.table("one", "plan.tsv"));
    let folder = scene.path("one").join(&plan[0]["folder"]);
    fs::create_dir_all(&folder).unwrap();
    let Taken::Ours(lock) = Lock::take(&folder.join("lock"), None).unwrap() else {
        panic!("nobody else holds it");
    };
    refused(&["study", "cell", config, "1", "-q"], &["another process is working on cell 1"]);
    refused(&["study", config, "-q"], &["1 of 2 cells are being worked on by other processes"]);
    drop(lock);
    assert_eq!(run(&["study", config]).0, 0);
}

#[test]
fn a_dry_run_tells_and_writes_nothing() {
    let scene = Scene::new(4);
    let config = scene.config(
        "dry.toml",
        "data = [\"bids\"]\nclasses = [\"CMB\"]\nseeds = [1, 2]\n[split]\nmethod = \"leave-one-out\"\n",
    );
    let (code, out, told) = run(&["study", text(&config), "--dry-run"]);
    assert_eq!(code, 0, "{told}");
    assert!(out.contains("8 of 8") && out.contains("of disk"), "{out}");
    assert!(!scene.path("dry").exists());
}

#[test]
fn a_class_that_a_fold_lacks_has_its_reason() {
    let scene = Scene::new(4);
    // Only one subject has iron deposits.
    for number in 2..=4 {
        let truth = scene.path(&format!(
            "bids/derivatives/truth/sub-{number:02}/anat/sub-{number:02}_acq-swi_seg-lesions_dseg.nii.gz"
        ));
        let labels = deepmir_volume::nifti::read_integers(&truth).unwrap().volume;
        let without = labels.map(|&label| u8::from(label == 1));
        deepmir_volume::nifti::write(&truth, &without, None).unwrap();
    }
    let config = scene.config(
        "absent.toml",
        "data = [\"bids\"]\ninputs = [\"SWI\"]\n[split]\nmethod = \"leave-one-out\"\n",
    );
    let (code, _, told) = run(&["study", text(&config)]);
    assert_eq!(code, 0, "{told}");
    nothing_missing_unexplained(&scene.path("absent"));
    let arms = rows(&scene.table("absent", "arms.tsv"));
    let row =
        arms.iter().find(|row| row["class"] == "NHID" && row["measure"] == "sensitivity").unwrap();
    assert_eq!(row["cells"], "1");
    assert!(row["note"].contains("no true NHID"), "{row:?}");
    assert_ne!(row["pooled"], "n/a");
}

#[test]
fn cohorts_that_no_study_can_be_made_of_are_told() {
    let scene = Scene::new(2);
    let config = scene.config("two.toml", "data = [\"bids\"]\n[split]\nfolds = 2\n");
    refused(&["study", text(&config)], &["fold 1 leaves 1 subject", "three subjects or more"]);
    let config = scene.config("many.toml", "data = [\"bids\"]\n");
    refused(&["study", text(&config)], &["2 subjects cannot make 5 folds"]);

    for number in 3..=5 {
        deepmir_testing::write_subject(&scene.path("bids"), number);
    }
    fs::remove_file(scene.path("bids/sub-02/anat/sub-02_Chimap.nii.gz")).unwrap();
    let settings = "data = [\"bids\"]\ninputs = [\"SWI\", \"SWI+QSM\"]\n[split]\nfolds = 2\n";
    let config = scene.config("gap.toml", settings);
    refused(&["study", text(&config)], &["sub-02", "no QSM", "leave-out", "gap.toml"]);
    let config = scene.config("gap.toml", &format!("incomplete = \"leave-out\"\n{settings}"));
    let (code, _, told) = run(&["study", text(&config)]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("left out: sub-02, it has no QSM"), "{told}");
    assert!(scene.table("gap", "study.html").contains("sub-02 was left out: it has no QSM"));
    nothing_missing_unexplained(&scene.path("gap"));

    let config = scene.config("typo.toml", "data = [\"bids\"]\n[split]\nfoldz = 2\n");
    refused(&["study", text(&config)], &["foldz", "typo.toml"]);
    refused(&["study", text(&scene.path("absent.toml"))], &["absent.toml"]);
}
