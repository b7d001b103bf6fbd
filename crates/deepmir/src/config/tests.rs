use super::*;

fn parsed(file: &str, words: &[&str]) -> anyhow::Result<Cli> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("options.toml");
    std::fs::write(&path, file).unwrap();
    let words = words.iter().map(|word| match *word {
        "FILE" => path.clone().into_os_string(),
        "=FILE" => format!("--config={}", path.display()).into(),
        word => word.into(),
    });
    parse_arguments(std::iter::once("deepmir".into()).chain(words))
}

fn fault(file: &str, words: &[&str]) -> String {
    let fault = parsed(file, words).unwrap_err().to_string();
    assert!(fault.contains("options.toml"), "{fault}");
    fault
}

fn predict(file: &str, words: &[&str]) -> (crate::cli::Common, Box<crate::cli::Predict>) {
    let cli = parsed(file, words).unwrap();
    let crate::cli::Verb::Predict(predict) = cli.verb else { panic!("another verb") };
    (cli.common, predict)
}

#[test]
fn config_before_the_verb_is_not_taken_for_the_verb() {
    let file = "output = \"out\"\nflips = true\n";
    for words in [
        &["--config", "FILE", "predict"][..],
        &["=FILE", "predict"],
        &["--threads", "2", "predict", "--config", "FILE"],
        &["--threads", "2", "--config", "FILE", "predict"],
        &["predict", "=FILE"],
    ] {
        let (common, predict) = predict(file, words);
        assert_eq!(predict.output, Path::new("out"), "{words:?}");
        assert!(predict.flips && common.config.is_some(), "{words:?}");
        assert_eq!(common.threads.is_some(), words[0] == "--threads", "{words:?}");
    }
}

#[test]
fn config_of_a_nested_verb_reaches_the_nested_verb() {
    let file = "beta = 2.5\nparticipant-label = [\"01\", \"02\"]\n";
    let cli = parsed(file, &["model", "tune", "m", "d", "--config", "FILE"]).unwrap();
    let crate::cli::Verb::Model(crate::cli::Model::Tune(tune)) = cli.verb else {
        panic!("another verb")
    };
    assert_eq!((tune.beta, tune.only.participant_label.len()), (2.5, 2));
    for words in [
        &["study", "cell", "--config", "FILE", "s.toml", "3"][..],
        &["--config", "FILE", "study", "cell", "s.toml", "3"],
        &["-v", "study", "cell", "s.toml", "3", "=FILE"],
    ] {
        let cli = parsed("output = \"cell\"\n", words).unwrap();
        let crate::cli::Verb::Study(study) = cli.verb else { panic!("another verb") };
        let Some(crate::cli::StudyPart::Cell { place, number }) = study.part else {
            panic!("another part")
        };
        assert_eq!((place.output.as_deref(), number), (Some(Path::new("cell")), 3), "{words:?}");
    }
}

#[test]
fn values_that_look_like_verbs_or_options_stay_values() {
    // An output folder with the name of a verb, file names with commas and dashes.
    let file = "swi = \"a,b.nii\"\nmag = [\"a,b.nii\", \"--mag\"]\n";
    let words = ["--device", "cpu", "predict", "-o", "run", "--config", "FILE"];
    let (_, predict) = predict(file, &words);
    assert_eq!(predict.output, Path::new("run"));
    assert_eq!(predict.swi.as_deref(), Some(Path::new("a,b.nii")));
    assert_eq!(predict.raw.mag, [Path::new("a,b.nii"), Path::new("--mag")]);
}

#[test]
fn lists_of_options_without_a_delimiter_are_lists() {
    let file = "output = \"o\"\nextra_train = [\"a\", \"b\"]\nheld-out = \"03\"\n";
    let cli = parsed(file, &["train", "--config", "FILE", "data"]).unwrap();
    let crate::cli::Verb::Train(train) = cli.verb else { panic!("another verb") };
    assert_eq!(train.extra_train, [Path::new("a"), Path::new("b")]);
    assert_eq!((train.data.as_path(), train.held_out), (Path::new("data"), vec!["03".into()]));
}

#[test]
fn the_command_line_always_wins() {
    let file = "output = \"file\"\nthreads = 4\nquiet = true\nmag = [\"a\", \"b\"]\n";
    let words = ["--threads", "2", "-v", "predict", "-o", "line", "--mag", "c", "=FILE"];
    let (common, predict) = predict(file, &words);
    assert_eq!((common.threads, common.verbose, common.quiet), (Some(2), 1, false));
    assert_eq!((predict.output.as_path(), predict.raw.mag.len()), (Path::new("line"), 1));
    let run = ["run", "a", "b", "group", "--resume", "--config", "FILE"];
    let cli = parsed("force = true\n", &run).unwrap();
    let crate::cli::Verb::Run(run) = cli.verb else { panic!("another verb") };
    assert!(run.resume && !run.force);
}

#[test]
fn unknown_keys_name_file_and_the_nearest_option() {
    let of = |file, words: &[&str]| fault(file, &[words, &["--config", "FILE"]].concat());
    let told = of("nan-to-zeroo = true\n", &["predict", "-o", "x"]);
    assert!(told.contains("predict has no option nan-to-zeroo (similar: nan-to-zero)"), "{told}");
    assert!(of("colour = \"red\"\n", &["predict"]).contains("no option colour: "));
    assert!(of("config = \"x\"\n", &["predict"]).contains("no option config"));
    assert!(
        of("dry-run = true\n", &["study", "cell"]).contains("study cell has no option dry-run")
    );
    assert!(of("data = \"x\"\n", &["train"]).contains("data is an argument of train"));
    assert!(of("training = 3\n", &["train"]).contains("training is a table"));
    assert!(of("[training]\n", &["predict"]).contains("predict reads no table [training]"));
    let told = of("[trainign]\n", &["train"]);
    assert!(told.contains("[plan], [architecture], [training], [phantom]"), "{told}");
}

#[test]
fn wrong_values_name_key_and_file() {
    for (file, words) in [
        ("threads = \"many\"\n", "threads: invalid value 'many'"),
        ("flips = 3\n", "flips: expected true or false, not a number"),
        ("swi = true\n", "swi: expected a text or a number, not true or false"),
        ("swi = [\"a\", \"b\"]\n", "swi: expected a text or a number, not a list"),
        ("b0 = \"three\"\n", "b0: invalid value 'three'"),
        ("te = [0.1, false]\n", "te: expected a text or a number"),
        ("b0-direction = [1, 0, \"z\"]\n", "b0-direction: "),
        ("verbose = \"much\"\n", "verbose: expected a number from 0 to 9"),
        ("verbose = 1\nquiet = true\n", "is set in"),
    ] {
        let told = fault(file, &["predict", "-o", "x", "--config", "FILE"]);
        assert!(told.contains(words), "no {words:?} in {told}");
    }
}

#[test]
fn keys_may_be_aliases_and_foreign_options_are_explained_with_a_file_too() {
    let words = ["run", "a", "b", "participant", "--config", "FILE"];
    let cli = parsed("n_cpus = 3\nmem-mb = 500\nparticipant_label = \"01\"\n", &words).unwrap();
    let crate::cli::Verb::Run(run) = cli.verb else { panic!("another verb") };
    assert_eq!((cli.common.threads, run.memory_gb()), (Some(3), Some(0.5)));
    assert_eq!(run.only.participant_label, ["01"]);
    let told = parsed("", &[&words[..], &["--notrack"]].concat()).unwrap_err().to_string();
    assert!(told.contains("has no --notrack; leave it out"), "{told}");
}

#[test]
fn usage_errors_and_help_are_claps_with_a_file_too() {
    for words in [
        &["predict", "--swii", "x", "--config", "FILE"][..],
        &["predict", "--config", "FILE", "--help"],
        &["predict", "--config", "FILE"],
        &["--config", "FILE"],
        &["predict", "--config"],
    ] {
        let error = parsed("flips = true\n", words).unwrap_err();
        assert!(error.downcast_ref::<clap::Error>().is_some(), "{words:?}: {error}");
    }
}
