//! `deepmir model import`: networks of others.

use std::fs;
use std::path::{Path, PathBuf};

use deepmir_model::Bundle;
use deepmir_volume::nifti;

use crate::support::{refused, run, text};

const PLAN: &str = r#"
name = "lab"
licence = "CC-BY-4.0"
data = "a formula"

[plan]
inputs = ["SWI", "QSM", "T2w"]
optional = ["QSM", "T2w"]
classes = ["CMB", "NHID"]
context_slices = 1
normalisation = [
    { method = "z-score-brain", clip = 50.0 },
    { method = "fixed-scale", scale_ppm = 0.1, clip = 8.0 },
    { method = "z-score-brain", clip = 8.0 },
]

[onnx]
outputs = ["background", "CMB", "NHID"]
activation = "softmax"
axes = "zyx"
window = [16, 32, 32]
"#;

/// Marks what is three standard deviations darker than the brain.
fn network() -> PathBuf {
    let fixtures = "../deepmir-onnx/tests/fixtures/dark.onnx";
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(fixtures)
}

fn plan(folder: &Path, name: &str, change: [&str; 2]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, PLAN.replace(change[0], change[1])).unwrap();
    path
}

#[test]
fn an_imported_network_finds_lesions_and_gets_a_candidate_classifier() {
    let folder = tempfile::tempdir().unwrap();
    let (network, plan) = (network(), plan(folder.path(), "plan.toml", ["", ""]));
    let model = folder.path().join("lab.deepmir");
    let import = ["model", "import", text(&network), "--plan", text(&plan), "-o", text(&model)];
    let (code, told, log) = run(&import);
    assert_eq!(code, 0, "{log}");
    assert!(told.contains("lab.deepmir (id "), "{told}");
    let (code, told, _) = run(&["model", "info", text(&model)]);
    assert_eq!(code, 0);
    for words in ["# 1 imported networks", "[onnx]", "data = \"a formula\"", "network.onnx"] {
        assert!(told.contains(words), "no {words} in {told}");
    }
    let (code, told, log) = run(&["model", "verify", text(&model)]);
    assert_eq!((code, told.contains("is intact and runs")), (0, true), "{log}");

    let data = folder.path().join("bids");
    let subjects: Vec<_> =
        (1..9).map(|number| deepmir_testing::write_subject(&data, number)).collect();
    let out = folder.path().join("out");
    let images = ["--swi", text(&subjects[0].swi), "--model", text(&model)];
    let (code, told, log) = run(&[&["predict", "-o", text(&out)], &images[..]].concat());
    assert_eq!(code, 0, "{log}");
    // All six lesions are dark; what else is dark the network alone cannot tell.
    let found: usize = told.split(' ').find_map(|word| word.parse().ok()).unwrap();
    assert!(found >= 6, "{told}");

    let adapted = folder.path().join("adapted.deepmir");
    let adapt = ["model", "adapt", text(&model), text(&data), "-o", text(&adapted)];
    refused(&adapt, &["lesions and to what is none", "48 candidates", "candidate_threshold 0.5"]);
    // In every second scan the deposits are none.
    for subject in subjects.iter().step_by(2) {
        let truth = nifti::read(&subject.truth).unwrap();
        let without = truth.volume.map(|&label| if label > 1.5 { 0.0 } else { label });
        nifti::write(&subject.truth, &without, Some(&truth.header)).unwrap();
    }
    let (code, told, log) = run(&adapt);
    assert_eq!(code, 0, "{log}");
    assert!(told.contains("A candidate classifier of 300 boosting rounds was fitted"), "{told}");
    let (before, after) = (Bundle::read(&model).unwrap(), Bundle::read(&adapted).unwrap());
    assert_eq!(after.imported, before.imported);
    assert!(!after.settings.candidate_classifier.unwrap().rounds.is_empty());

    refused(
        &["model", "export", text(&model), "-o", text(&folder.path().join("onnx"))],
        &["ONNX files already", "model copy"],
    );
    refused(
        &["train", text(&data), "-o", text(&folder.path().join("t")), "--init-from", text(&model)],
        &["imported", "model adapt"],
    );
}

#[test]
fn a_network_that_does_not_fit_its_description_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let network = network();
    let nowhere = folder.path().join("nowhere");
    let import = |network: &Path, plan: &Path, words: &[&str]| {
        let arguments =
            ["model", "import", text(network), "--plan", text(plan), "-o", text(&nowhere)];
        refused(&arguments, words);
        assert!(!nowhere.exists());
    };
    let with = |name: &str, change: [&str; 2]| plan(folder.path(), name, change);
    let good = with("good.toml", ["", ""]);
    import(&good, &good, &["not a network", "good.toml"]);
    import(&folder.path().join("none.onnx"), &good, &["cannot read", "none.onnx"]);
    let fewer = with("fewer.toml", [", \"NHID\"]\nactivation", "]\nactivation"]);
    import(&network, &fewer, &["must name NHID once", "fewer.toml"]);
    let other = with("other.toml", ["\"background\"", "\"vessel\""]);
    import(&network, &other, &["\"vessel\"", "other.toml"]);
    let order = with("order.toml", ["\"zyx\"", "\"zy\""]);
    import(&network, &order, &["window", "order.toml"]);
    import(&network, &with("typo.toml", ["axes =", "axis ="]), &["axis", "typo.toml"]);
    let channels = with("channels.toml", ["context_slices = 1", "context_slices = 3"]);
    import(&network, &channels, &["context_slices must be 1", "channels.toml"]);
}
