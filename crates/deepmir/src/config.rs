//! Options from a file: each key of the TOML file sets the option of that name, unless the command line
//! does.
//!
//! clap alone decides which words of the command line are commands, options and values. The file's options
//! are inserted after the last command that it finds, and everything is parsed again. So required options
//! may come from the file, and its values are checked like those of the command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};

use crate::cli::{Cli, foreign, names_of};
use crate::similar;

/// Separates the values of an array, so that a comma in one stays in it.
const SEPARATOR: char = '\u{1f}';
/// Options that have no meaning in a file.
const NOT_IN_A_FILE: [&str; 3] = ["config", "help", "version"];

/// Parses the command line, and the file that it names with `--config`.
pub fn parse_arguments(arguments: impl Iterator<Item = OsString>) -> anyhow::Result<Cli> {
    let arguments = foreign::with_dashes(arguments);
    let Some(line) = CommandLine::with_config(&arguments)? else {
        return from_matches(Cli::command(), &arguments).map_err(|error| {
            let matches = lenient(&arguments);
            explained(error, &matches.map(|matches| chain_of(&matches).0).unwrap_or_default())
        });
    };
    let options = line.file_options()?;
    let place = line.end_of_command(&arguments);
    let (head, tail) = arguments.split_at(place);
    let words = options.iter().flat_map(|option| option.words.iter().map(OsString::from));
    let all: Vec<OsString> =
        head.iter().cloned().chain(words).chain(tail.iter().cloned()).collect();
    let command = at(Cli::command(), &line.chain, &|mut command| {
        for option in options.iter().filter(|option| option.is_array) {
            command = command.mut_arg(&option.id, |arg| arg.value_delimiter(SEPARATOR));
        }
        command
    });
    from_matches(command, &all).map_err(|error| line.with_origin(error, &options))
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
    let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
    match chain[..] {
        ["train"] => &["plan", "architecture", "training", "phantom", "implant", "recon"],
        ["model", "adapt"] => &["implant", "recon"],
        ["model", "train-anatomy"] => &["training"],
        ["phantom"] => &["phantom"],
        ["implant" | "qualify"] => &["implant", "recon"],
        ["recon" | "run"] => &["recon"],
        _ => &[],
    }
}

fn from_matches(command: Command, words: &[OsString]) -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&command.try_get_matches_from(words)?)
}

/// Changes the command that a chain of names leads to.
fn at(command: Command, chain: &[String], change: &dyn Fn(Command) -> Command) -> Command {
    match chain {
        [] => change(command),
        [first, rest @ ..] => command.mut_subcommand(first, |inner| at(inner, rest, change)),
    }
}

/// Parses words that may lack what only the file gives.
fn lenient(words: &[OsString]) -> Result<ArgMatches, clap::Error> {
    Cli::command().ignore_errors(true).try_get_matches_from(words)
}

/// An error of `run` may be about an option of another BIDS App. What else is unknown was mistyped.
fn explained(error: clap::Error, chain: &[String]) -> anyhow::Error {
    let mut command = Cli::command();
    command.build();
    let mut last = &command;
    for name in chain {
        last = last.find_subcommand(name).unwrap_or(last);
    }
    let error = similar::with_suggestion(error, last);
    if chain == ["run"] { foreign::explain(error) } else { error.into() }
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

/// A command line that names a config file.
struct CommandLine {
    file: PathBuf,
    /// The verb, and the commands below it.
    chain: Vec<String>,
    /// The last of them, with the options of every verb.
    command: Command,
    matches: ArgMatches,
}

impl CommandLine {
    /// `None` without a file or without a verb.
    fn with_config(words: &[OsString]) -> Result<Option<Self>, clap::Error> {
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

    /// Number of words up to the last command's name: of the shortest prefix that clap matches to the same
    /// commands.
    fn end_of_command(&self, words: &[OsString]) -> usize {
        let complete = |count: &usize| {
            lenient(&words[..*count]).is_ok_and(|matches| chain_of(&matches).0 == self.chain)
        };
        (1..=words.len()).find(complete).unwrap_or(words.len())
    }

    fn file_options(&self) -> anyhow::Result<Vec<FileOption>> {
        let mut options = Vec::new();
        for (key, value) in read(&self.file)? {
            if value.is_table() {
                self.check_table(&key)?;
                continue;
            }
            let arg = self.option(&key)?;
            let (words, is_array) = words(arg, &value)
                .map_err(|reason| anyhow!("{key}: {reason}: {}", self.file.display()))?;
            if !self.is_overridden(arg) {
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
        let found = options.find(|arg| names_of(arg).any(|name| name == long));
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
    fn is_overridden(&self, arg: &Arg) -> bool {
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

    /// Names the key and the file in an error about an option of the file.
    fn with_origin(&self, error: clap::Error, options: &[FileOption]) -> anyhow::Error {
        let named = [ContextKind::InvalidArg, ContextKind::PriorArg]
            .into_iter()
            .filter_map(|kind| error.get(kind))
            .find_map(|context| {
                let text = context.to_string();
                options.iter().find(|option| text.contains(&option.shown))
            });
        let Some(option) = named.filter(|_| error.use_stderr()) else {
            return explained(error, &self.chain);
        };
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

/// A value as words of a command line, and whether it is an array; or what is wrong with it.
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
            let given = (!items.is_empty()).then(|| format!("{option}={values}"));
            Ok((given.into_iter().collect(), true))
        }
        (_, value) => Ok((vec![format!("{option}={}", text(value)?)], false)),
    }
}

#[cfg(test)]
mod tests;
