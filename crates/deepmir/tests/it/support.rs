//! Running the program, and small things to run it on.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use deepmir_detect::DetectionRule;
use deepmir_model::bundle::{Bundle, FORMAT, ModelSettings, Provenance};
use deepmir_net::{Weights, preset};

/// The program with arguments.
pub fn deepmir(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("deepmir"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

/// Runs to the end: exit code, standard output, standard error. Of a prediction, table, maps, page and answer agree.
#[track_caller]
pub fn run(arguments: &[&str]) -> (i32, String, String) {
    let (code, stdout, told) = finished(&deepmir(arguments).output().unwrap());
    let output = arguments.iter().position(|&argument| argument == "-o" || argument == "--output");
    if let (0, Some(&"predict" | &"demo"), Some(place)) = (code, arguments.first(), output) {
        for [cmb, nhid] in
            deepmir_testing::assert_predictions_agree(Path::new(arguments[place + 1]))
        {
            assert!(stdout.contains(&format!("{cmb} CMB, {nhid} NHID")), "{stdout}");
        }
    }
    (code, stdout, told)
}

pub fn finished(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// Runs, and sees that the user is told `words` and the file's name, with exit code 1.
#[track_caller]
pub fn refused(arguments: &[&str], words: &[&str]) {
    let (code, _, told) = run(arguments);
    assert_eq!(code, 1, "{told}");
    assert!(told.starts_with("error: "), "{told}");
    for word in words {
        assert!(told.contains(word), "no {word:?} in: {told}");
    }
    assert!(!told.contains("panicked"), "{told}");
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A model of the `deepmir` preset, much narrower, with random weights.
pub fn random_model(folder: &Path) -> PathBuf {
    random_model_of(folder, "random", 1)
}

/// As [`random_model`], with other weights.
pub fn random_model_of(folder: &Path, name: &str, seed: u64) -> PathBuf {
    let mut preset = preset::deepmir();
    preset.architecture.widths = vec![4, 6];
    let settings = ModelSettings {
        format: FORMAT,
        name: name.to_owned(),
        description: "Random weights, for tests.".to_owned(),
        licence: "CC0-1.0".to_owned(),
        detection: DetectionRule::half(&preset.plan.classes),
        operating_points: Vec::new(),
        candidate_classifier: None,
        contrasts: vec![deepmir_cases::Contrast::Swi],
        provenance: Provenance {
            program: "a test".to_owned(),
            data: "nothing".to_owned(),
            training_subjects: Vec::new(),
            validation_subjects: Vec::new(),
            steps: 0,
            validation_f1: 0.0,
            training_images: Vec::new(),
        },
        plan: preset.plan,
        architecture: Some(preset.architecture.clone()),
        onnx: None,
        training_range: None,
        weights: Vec::new(),
        patch_classifier: None,
    };
    let bundle =
        Bundle::new(settings, vec![Weights::initial(&preset.architecture, seed)], Vec::new())
            .unwrap();
    let path = folder.join(format!("{name}.deepmir"));
    bundle.write(&path).unwrap();
    path
}

/// Settings of a training that takes seconds.
pub const QUICK: &str = "\
[architecture]
widths = [6, 8]
[training]
batch_size = 4
patch = [32, 32]
learning_rate = 5e-3
warmup_steps = 5
weight_average = 0.9
validate_every = 10
[training.sampling]
lesion = 0.9
mimic = 0.05
";

/// A coarse scan of a phantom, so that it takes seconds.
pub const COARSE: &str = "
[phantom.scan]
voxel_mm = [3.0, 3.0, 3.0]
matrix = [64, 76, 60]
echo_times_s = [0.006, 0.012, 0.018]
fine_voxel_mm = 1.5
";
