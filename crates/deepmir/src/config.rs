//! Options from a file: each key of the TOML file gives the option of that name, where the command line
//! does not give it.
//!
//! clap alone decides which words of the command line are commands, options and values. The file's options
//! go behind the last command that it finds, and all is parsed once more, so that required options may
//! come from the file and every value is checked as one of the command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};

use crate::cli::Cli;

/// Separates the values of an array, so that a comma in one stays in it.
const SEPARATOR: char = '\u{1f}';
/// Keys that would be options but mean nothing in a file.
const NOT_IN_A_FILE: [&str; 3] = ["config", "help", "version"];

/// Parses the command line, and the file that it names with `--config`.
pub fn parse_arguments(arguments: impl Iterator<Item = OsString>) -> anyhow::Result<Cli> {
    let arguments: Vec<OsString> = arguments.collect();
    let Some(given) = Given::on_the_command_line(&arguments)? else {
        return Ok(from_matches(Cli::command(), &arguments)?);
    };
    let options = given.options_of_the_file()?;
    let place = given.behind_the_command(&arguments);
    let (head, tail) = arguments.split_at(place);
    let words = options.iter().flat_map(|option| option.words.iter().map(OsString::from));
    let all: Vec<OsString> =
        head.iter().cloned().chain(words).chain(tail.iter().cloned()).collect();
    let command = at(Cli::command(), &given.chain, &|mut command| {
        for option in options.iter().filter(|option| option.is_array) {
            command = command.mut_arg(&option.id, |arg| arg.value_delimiter(SEPARATOR));
        }
        command
    });
    from_matches(command, &all).map_err(|error| given.explained(error, &options))
}

/// The table of a config file.
pub fn read(path: &Path) -> anyhow::Result<toml::Table> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| anyhow!("cannot read ({error}): {}", path.display()))?;
    toml::from_str(&text)
        .map_err(|error| anyhow!("not a config file ({error}): {}", path.display()))
}

/// Tables that a command reads from its file besides its options.
fn tables_of(chain: &[String]) -> &'static [&'static str] {
    match chain.first().map(String::as_str) {
        Some("train") => &["plan", "architecture", "training", "phantom"],
        Some("phantom") => &["phantom"],
        Some("recon" | "run") => &["recon"],
        _ => &[],
    }
}

fn from_matches(command: Command, words: &[OsString]) -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&command.try_get_matches_from(words)?)
}

/// Changes the command at the end of a chain of names.
fn at(command: Command, chain: &[String], change: &dyn Fn(Command) -> Command) -> Command {
    match chain {
        [] => change(command),
        [first, rest @ ..] => command.mut_subcommand(first, |inner| at(inner, rest, change)),
    }
}

/// What clap makes of words that may lack something the file has.
fn lenient(words: &[OsString]) -> Result<ArgMatches, clap::Error> {
    Cli::command().ignore_errors(true).try_get_matches_from(words)
}

/// The names of the matched commands, and the arguments of the last.
fn chain_of(matches: &ArgMatches) -> (Vec<String>, &ArgMatches) {
    let (mut chain, mut last) = (Vec::new(), matches);
    while let Some((name, inner)) = last.subcommand() {
        chain.push(name.to_owned());
        last = inner;
    }
    (chain, last)
}

/// An option that the file gives.
struct FileOption {
    /// As the file spells it.
    key: String,
    id: clap::Id,
    /// As clap writes it in errors.
    shown: String,
    words: Vec<String>,
    is_array: bool,
}

/// What stands on the command line.
struct Given {
    file: PathBuf,
    /// The verb, and the commands below it.
    chain: Vec<String>,
    /// The last of them, with the options of every verb.
    command: Command,
    matches: ArgMatches,
}

impl Given {
    /// `None` without a file, or without a command that could have options in it.
    fn on_the_command_line(words: &[OsString]) -> Result<Option<Self>, clap::Error> {
        let matches = lenient(words)?;
        let (chain, last) = chain_of(&matches);
        let file = last.try_get_one::<PathBuf>("config").ok().flatten().cloned();
        let (Some(file), false) = (file, chain.is_empty()) else { return Ok(None) };
        let mut command = Cli::command();
        command.build();
        for name in &chain {
            let Some(inner) = command.find_subcommand(name) else { return Ok(None) };
            command = inner.clone();
        }
        Ok(Some(Self { file, matches: last.clone(), chain, command }))
    }

    /// The number of words up to the last command.
    fn behind_the_command(&self, words: &[OsString]) -> usize {
        let complete = |count: &usize| {
            lenient(&words[..*count]).is_ok_and(|matches| chain_of(&matches).0 == self.chain)
        };
        (1..=words.len()).find(complete).unwrap_or(words.len())
    }

    fn options_of_the_file(&self) -> anyhow::Result<Vec<FileOption>> {
        let mut options = Vec::new();
        for (key, value) in read(&self.file)? {
            if value.is_table() {
                self.check_table(&key)?;
                continue;
            }
            let arg = self.option(&key)?;
            let (words, is_array) = words(arg, &value)
                .map_err(|reason| anyhow!("{key}: {reason}: {}", self.file.display()))?;
            if !self.is_settled(arg) {
                let (id, shown) = (arg.get_id().clone(), arg.to_string());
                options.push(FileOption { key, id, shown, words, is_array });
            }
        }
        Ok(options)
    }

    fn check_table(&self, key: &str) -> anyhow::Result<()> {
        let known = tables_of(&self.chain);
        if known.contains(&key) {
            return Ok(());
        }
        let verb = self.chain.join(" ");
        let tables: Vec<String> = known.iter().map(|name| format!("[{name}]")).collect();
        match tables.is_empty() {
            true => bail!("{verb} reads no table [{key}]; remove it: {}", self.file.display()),
            false => bail!(
                "{verb} reads no table [{key}]; its tables are {}: {}",
                tables.join(", "),
                self.file.display()
            ),
        }
    }

    fn option(&self, key: &str) -> anyhow::Result<&Arg> {
        let long = key.replace('_', "-");
        let mut options = self.command.get_arguments();
        let found = options.find(|arg| arg.get_long() == Some(&long));
        if let Some(arg) = found.filter(|_| !NOT_IN_A_FILE.contains(&&*long)) {
            return Ok(arg);
        }
        let verb = self.chain.join(" ");
        let mut positionals = self.command.get_positionals();
        if tables_of(&self.chain).contains(&key) {
            bail!("{key} is a table, written [{key}]: {}", self.file.display());
        } else if positionals.any(|arg| arg.get_id() == long.as_str()) {
            bail!(
                "{key} is an argument of {verb}, not an option; give it on the command line: {}",
                self.file.display()
            );
        }
        let near = self.nearest(&long).map_or(String::new(), |near| format!(" (similar: {near})"));
        bail!("{verb} has no option {key}{near}: {}", self.file.display())
    }

    /// The option that clap would suggest.
    fn nearest(&self, long: &str) -> Option<String> {
        let command = self.command.clone().no_binary_name(true);
        let error = command.try_get_matches_from([format!("--{long}")]).err()?;
        match error.get(ContextKind::SuggestedArg)? {
            ContextValue::String(near) => Some(near.trim_start_matches("--").to_owned()),
            _ => None,
        }
    }

    /// Whether the command line gives the option, or one that excludes it.
    fn is_settled(&self, arg: &Arg) -> bool {
        let given = |arg: &Arg| {
            let id = arg.get_id().as_str();
            self.matches.value_source(id) == Some(ValueSource::CommandLine)
        };
        let excludes = |a: &Arg, b: &Arg| {
            self.command.get_arg_conflicts_with(a).iter().any(|arg| arg.get_id() == b.get_id())
        };
        given(arg)
            || self
                .command
                .get_arguments()
                .any(|other| given(other) && (excludes(arg, other) || excludes(other, arg)))
    }

    /// An error about an option of the file names its key and the file.
    fn explained(&self, error: clap::Error, options: &[FileOption]) -> anyhow::Error {
        let named = [ContextKind::InvalidArg, ContextKind::PriorArg]
            .into_iter()
            .filter_map(|kind| error.get(kind))
            .find_map(|context| {
                let text = context.to_string();
                options.iter().find(|option| text.contains(&option.shown))
            });
        let Some(option) = named.filter(|_| error.use_stderr()) else { return error.into() };
        let text = error.render().to_string();
        let text = text.trim_start_matches("error: ");
        let text = text.split("\n\nUsage:").next().unwrap_or(text);
        let text = text.split("\n\nFor more").next().unwrap_or(text).trim_end();
        match error.kind() {
            ErrorKind::ArgumentConflict | ErrorKind::MissingRequiredArgument => {
                anyhow!("{text}\n({} is set in {})", option.key, self.file.display())
            }
            _ => {
                anyhow!("{}: {}: {}", option.key, text.replace(SEPARATOR, ","), self.file.display())
            }
        }
    }
}

/// A key's value as words of a command line, and whether they are several values; or what is wrong.
fn words(arg: &Arg, value: &toml::Value) -> Result<(Vec<String>, bool), String> {
    let option = format!("--{}", arg.get_long().unwrap_or_default());
    let kind = |value: &toml::Value| match value {
        toml::Value::Boolean(_) => "true or false",
        toml::Value::Integer(_) | toml::Value::Float(_) => "a number",
        toml::Value::String(_) => "a text",
        toml::Value::Datetime(_) => "a date",
        toml::Value::Array(_) => "a list",
        toml::Value::Table(_) => "a table",
    };
    let text = |value: &toml::Value| match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        other => Err(format!("expected a text or a number, not {}", kind(other))),
    };
    match (arg.get_action(), value) {
        (ArgAction::SetTrue, toml::Value::Boolean(set)) => {
            Ok((set.then_some(option).into_iter().collect(), false))
        }
        (ArgAction::SetTrue, other) => Err(format!("expected true or false, not {}", kind(other))),
        (ArgAction::Count, toml::Value::Boolean(set)) => {
            Ok((set.then_some(option).into_iter().collect(), false))
        }
        (ArgAction::Count, toml::Value::Integer(count @ 0..=9)) => {
            Ok((vec![option; *count as usize], false))
        }
        (ArgAction::Count, _) => Err("expected a number from 0 to 9".to_owned()),
        (ArgAction::Append, toml::Value::Array(items)) => {
            let items = items.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            let values = items.join(&SEPARATOR.to_string());
            // No values are no option.
            let given = (!items.is_empty()).then(|| format!("{option}={values}"));
            Ok((given.into_iter().collect(), true))
        }
        (_, value) => Ok((vec![format!("{option}={}", text(value)?)], false)),
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!((tune.beta, tune.participant_label.len()), (2.5, 2));
        for words in [
            &["study", "cell", "--config", "FILE", "s.toml", "3"][..],
            &["--config", "FILE", "study", "cell", "s.toml", "3"],
            &["study", "--config", "FILE", "cell", "s.toml", "3"],
        ] {
            let cli = parsed("output = \"cell\"\n", words).unwrap();
            let crate::cli::Verb::Study(study) = cli.verb else { panic!("another verb") };
            let Some(crate::cli::StudyPart::Cell { place, number }) = study.part else {
                panic!("another part")
            };
            assert_eq!(
                (place.output.as_deref(), number),
                (Some(Path::new("cell")), 3),
                "{words:?}"
            );
        }
    }

    #[test]
    fn values_that_look_like_verbs_or_options_stay_values() {
        // The output folder is called as a verb, and stands before the verb's name could.
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
        assert!(
            told.contains("predict has no option nan-to-zeroo (similar: nan-to-zero)"),
            "{told}"
        );
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
            ("b0-direction = [1, 0]\n", "b0-direction: "),
            ("verbose = \"much\"\n", "verbose: expected a number from 0 to 9"),
            ("verbose = 1\nquiet = true\n", "is set in"),
        ] {
            let told = fault(file, &["predict", "-o", "x", "--config", "FILE"]);
            assert!(told.contains(words), "no {words:?} in {told}");
        }
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
}
