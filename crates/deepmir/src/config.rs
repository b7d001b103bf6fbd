//! Options from a file: each key of the TOML file becomes the option of that name, put before those
//! of the command line, so that the command line wins.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use clap::Parser;

use crate::cli::Cli;

/// Parses the command line, and the file it names with `--config`.
pub fn parse_arguments(arguments: impl Iterator<Item = OsString>) -> anyhow::Result<Cli> {
    let arguments: Vec<OsString> = arguments.collect();
    let Some(file) = config_file(&arguments) else {
        return Ok(Cli::try_parse_from(&arguments)?);
    };
    let options = options(Path::new(&file))?;
    // Behind the program and the verb, before everything else.
    let verb = arguments.iter().skip(1).position(|word| !word.to_string_lossy().starts_with('-'));
    let place = verb.map_or(arguments.len(), |verb| verb + 2);
    let (head, tail) = arguments.split_at(place);
    let all = head
        .iter()
        .cloned()
        .chain(options.into_iter().map(OsString::from))
        .chain(tail.iter().cloned());
    Ok(Cli::try_parse_from(all)?)
}

fn config_file(arguments: &[OsString]) -> Option<OsString> {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if text == "--config" {
            return words.next().cloned();
        }
        if let Some(file) = text.strip_prefix("--config=") {
            return Some(file.into());
        }
    }
    None
}

/// The table of a config file.
pub fn read(path: &Path) -> anyhow::Result<toml::Table> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| anyhow!("cannot read ({error}): {}", path.display()))?;
    toml::from_str(&text)
        .map_err(|error| anyhow!("not a config file ({error}): {}", path.display()))
}

fn options(path: &Path) -> anyhow::Result<Vec<String>> {
    let mut options = Vec::new();
    for (key, value) in read(path)? {
        let option = format!("--{}", key.replace('_', "-"));
        match value {
            // Tables are the verb's own affair (a training's settings).
            toml::Value::Table(_) => {}
            toml::Value::Boolean(true) => options.push(option),
            toml::Value::Boolean(false) => {}
            toml::Value::Array(items) => {
                let items = items.into_iter().map(text).collect::<anyhow::Result<Vec<_>>>();
                let items = items.with_context(|| format!("{key} in {}", path.display()))?;
                options.push(format!("{option}={}", items.join(",")));
            }
            value => options.push(format!("{option}={}", text(value)?)),
        }
    }
    Ok(options)
}

fn text(value: toml::Value) -> anyhow::Result<String> {
    match value {
        toml::Value::String(text) => Ok(text),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        other => bail!("{other} is no value for an option"),
    }
}
