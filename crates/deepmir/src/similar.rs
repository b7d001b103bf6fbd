//! Options that were meant: clap compares letters by place and so takes `--qms` for `--mask`.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use crate::cli::names_of;

/// Corrects the suggestion of an error about an unknown option of a command: the option within the fewest slips of a
/// finger, or none.
pub fn with_suggestion(mut error: clap::Error, command: &Command) -> clap::Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let Some(word) = given.strip_prefix("--") else { return error };
    let word = word.split('=').next().unwrap_or(word).to_owned();
    let Some(name) = nearest(&word, command.get_arguments().filter(|arg| !arg.is_hide_set()))
    else {
        return error;
    };
    let mut command = command.clone();
    error.insert(ContextKind::SuggestedArg, ContextValue::String(format!("--{name}")));
    error.insert(ContextKind::Usage, ContextValue::StyledStr(command.render_usage()));
    error
}

/// The name with the fewest slips, if those are few for its length.
fn nearest<'a>(word: &str, arguments: impl Iterator<Item = &'a Arg>) -> Option<String> {
    let names = arguments.flat_map(names_of);
    let near = names.map(|name| (slips(word, name), name));
    let (count, name) = near.min_by_key(|(count, _)| *count)?;
    let most = word.chars().count().div_ceil(3);
    (count <= most).then(|| name.to_owned())
}

/// Letters that are wrong, missing, too many, or swapped with their neighbour (Damerau 1964).
fn slips(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for i in 1..=one.len() {
        let mut line = vec![i];
        for j in 1..=other.len() {
            let wrong = usize::from(one[i - 1] != other[j - 1]);
            let mut least = (above[j] + 1).min(line[j - 1] + 1).min(above[j - 1] + wrong);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            line.push(least);
        }
        (before, above) = (above, line);
    }
    above[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn slips_of_the_finger_are_counted() {
        for (one, other, count) in [
            ("qms", "qsm", 1),
            ("t2", "t2w", 1),
            ("mask", "mask", 0),
            ("swii", "sw", 2),
            ("", "a", 1),
        ] {
            assert_eq!((slips(one, other), slips(other, one)), (count, count), "{one} {other}");
        }
    }

    #[test]
    fn the_option_that_was_meant_is_suggested() {
        let told = |option: &str| {
            let mut command = crate::cli::Cli::command();
            command.build();
            let words = ["deepmir", "predict", option, "a", "-o", "b"];
            let error = command.clone().try_get_matches_from(words).unwrap_err();
            let predict = command.find_subcommand("predict").unwrap();
            with_suggestion(error, predict).to_string()
        };
        let text = told("--qms");
        assert!(text.contains("'--qsm' exists") || text.contains("'--qsm'"), "{text}");
        assert!(!text.contains("--mask <"), "{text}");
        assert!(told("--t2wi").contains("'--t2w'"));
        assert!(told("--overwite").contains("'--overwrite'"));
        assert!(!told("--zzzzzzzz").contains("similar"));
    }
}
