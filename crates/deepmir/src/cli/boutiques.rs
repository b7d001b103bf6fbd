//! dist/boutiques/deepmir.json says what `deepmir run` has, and all of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command, CommandFactory, Parser};
use serde_json::Value;

use super::{Cli, Verb, names_of};

/// Options that a platform has no use for.
const LEFT_OUT: [&str; 8] =
    ["help", "version", "quiet", "log-json", "resume", "threads", "mem-mb", "mem"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/boutiques")
}

fn json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

fn run() -> Command {
    let mut command = Cli::command();
    command.build();
    command.find_subcommand("run").unwrap().clone()
}

/// The option of a flag (`--n-cpus`), by its name or an alias.
fn option<'a>(command: &'a Command, flag: &str) -> Option<&'a Arg> {
    let long = flag.strip_prefix("--")?;
    command.get_arguments().find(|arg| names_of(arg).any(|name| name == long))
}

fn choices(arg: &Arg) -> Vec<String> {
    arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect()
}

#[test]
fn every_input_is_an_argument_of_the_same_kind() {
    let (command, descriptor) = (run(), json("deepmir.json"));
    assert_eq!(descriptor["tool-version"], env!("CARGO_PKG_VERSION"));
    let mut positionals = command.get_positionals();
    let line = descriptor["command-line"].as_str().unwrap();
    let mut named = BTreeSet::new();
    for input in descriptor["inputs"].as_array().unwrap() {
        let id = input["id"].as_str().unwrap();
        assert!(line.contains(input["value-key"].as_str().unwrap()), "{id} is not in the line");
        let arg = match input["command-line-flag"].as_str() {
            Some(flag) => option(&command, flag).unwrap_or_else(|| panic!("no option {flag}")),
            None => positionals.next().unwrap(),
        };
        let is_flag = matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count);
        assert_eq!(input["type"] == "Flag", is_flag, "{id}");
        let is_list = matches!(arg.get_action(), ArgAction::Append);
        assert_eq!(input["list"] == true, is_list, "{id}");
        assert_eq!(input["optional"] == false, arg.is_required_set(), "{id}");
        if let Some(values) = input["value-choices"].as_array() {
            assert_eq!(values, &choices(arg), "{id}");
        }
        named.insert(arg.get_id().to_string());
    }
    assert!(positionals.next().is_none());
    let missing: Vec<&str> = command
        .get_arguments()
        .filter(|arg| !named.contains(arg.get_id().as_str()))
        .filter_map(Arg::get_long)
        .filter(|long| !LEFT_OUT.contains(long))
        .collect();
    assert!(missing.is_empty(), "not in the descriptor: {missing:?}");
}

#[test]
fn the_example_is_a_command_line() {
    let (descriptor, example) = (json("deepmir.json"), json("invocation.json"));
    let mut line = descriptor["command-line"].as_str().unwrap().to_owned();
    for input in descriptor["inputs"].as_array().unwrap() {
        let value = match &example[input["id"].as_str().unwrap()] {
            Value::Null | Value::Bool(false) => String::new(),
            Value::Array(items) => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
            }
            Value::Bool(true) => " ".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let flag = input["command-line-flag"].as_str().filter(|_| !value.is_empty());
        let words = format!("{} {value}", flag.unwrap_or_default());
        line = line.replace(input["value-key"].as_str().unwrap(), &words);
    }
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    let Verb::Run(run) = cli.verb else { panic!("another verb: {line}") };
    assert_eq!(run.only.participant_label, ["01", "sub-02"]);
    assert_eq!((cli.common.threads, run.memory_gb()), (Some(4), Some(16.0)));
    assert_eq!(run.work_dir.as_deref(), Some(Path::new("/scratch/work")));
    assert!(run.skip_bids_validation && !run.force);
}
