//! Options from a file, wherever `--config` stands.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{QUICK, random_model, refused, run, text};

struct Scene {
    folder: tempfile::TempDir,
    subject: deepmir_testing::MadeUpSubject,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let subject = deepmir_testing::write_subject(&folder.path().join("bids"), 1);
        Self { folder, subject }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.path("options.toml");
        fs::write(&path, text).unwrap();
        path
    }

    /// A file with all that `predict` needs.
    fn prediction(&self) -> PathBuf {
        let model = random_model(self.folder.path());
        let option = |name: &str, path: &Path| format!("{name} = {:?}\n", text(path));
        self.file(
            &[
                option("swi", &self.subject.swi),
                option("qsm", &self.subject.qsm),
                option("t2w", &self.subject.t2w),
                option("model", &model),
                option("output", &self.path("out")),
            ]
            .concat(),
        )
    }
}

#[track_caller]
fn succeeds(arguments: &[&str]) -> String {
    let (code, out, told) = run(arguments);
    assert_eq!(code, 0, "{told}");
    out
}

#[test]
fn config_before_the_verb_is_not_taken_for_the_verb() {
    let scene = Scene::new();
    let config = scene.prediction();
    succeeds(&["--config", text(&config), "predict"]);
    assert!(scene.path("out/sub-01_desc-lesions.tsv").is_file());
}

#[test]
fn the_value_of_a_common_option_is_not_taken_for_the_verb() {
    let scene = Scene::new();
    let config = scene.prediction();
    succeeds(&["--threads", "2", "predict", "--config", text(&config)]);
    assert!(scene.path("out/sub-01_desc-lesions.tsv").is_file());
}

#[test]
fn config_options_of_a_nested_verb_do_not_end_up_before_it() {
    let scene = Scene::new();
    (2..5).for_each(|number| {
        deepmir_testing::write_subject(&scene.path("bids"), number);
    });
    let model = random_model(scene.folder.path());
    let tuned = scene.path("tuned.deepmir");
    let config = scene.file(&format!("output = {:?}\nbeta = 1\n", text(&tuned)));
    let data = scene.path("bids");
    succeeds(&["model", "tune", "--config", text(&config), text(&model), text(&data)]);
    assert!(tuned.is_file());

    let quick = QUICK.replacen("[training]\n", "[training]\nsteps = 2\n", 1);
    let study = scene.path("study.toml");
    let settings = format!("data = [\"bids\"]\ninputs = [\"SWI\"]\n[split]\nfolds = 2\n{quick}");
    fs::write(&study, settings).unwrap();
    let config = scene.file(&format!("output = {:?}\n", text(&scene.path("cells"))));
    let out = succeeds(&["study", "cell", text(&study), "1", "--config", text(&config)]);
    assert!(Path::new(out.trim()).starts_with(scene.path("cells")), "{out}");
}

#[test]
fn keys_and_values_that_are_wrong_are_named_with_their_file() {
    let scene = Scene::new();
    let refuse = |options: &str, arguments: &[&str], words: &[&str]| {
        let config = scene.file(options);
        let arguments = [arguments, &["--config", text(&config)]].concat();
        refused(&arguments, &[words, &["options.toml"]].concat());
    };
    refuse("flipz = true\n", &["predict"], &["predict has no option flipz", "flips"]);
    refuse("threads = \"two\"\n", &["model", "list"], &["threads", "two"]);
    refuse("[training]\nsteps = 3\n", &["predict"], &["no table [training]"]);
    refuse("fresh = true\n", &["run", "a", "b", "group"], &["run has no option fresh"]);
    refuse("flips = \n", &["predict"], &["not a config file"]);
    refused(&["predict", "--config", text(&scene.path("absent.toml"))], &["absent.toml"]);
}

#[test]
fn config_between_study_and_its_part_is_not_an_argument_of_the_study() {
    let scene = Scene::new();
    let config = scene.file("threads = 1\n");
    let study = scene.path("study.toml");
    fs::write(&study, "data = [\"nowhere\"]\n").unwrap();
    // It gets as far as the study's own file.
    refused(&["study", "--config", text(&config), "cell", text(&study), "1"], &["nowhere"]);
    refused(&["study", text(&study), "cell", text(&study), "1"], &["after `cell`"]);
    refused(&["study", "-o", "out", "cell", text(&study), "1"], &["after `cell`"]);
}
