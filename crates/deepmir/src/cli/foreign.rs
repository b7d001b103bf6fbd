//! Command lines written for other BIDS Apps: fMRIPrep, QSIPrep, MRIQC.
//!
//! Their options that mean something here are options or aliases of `run`. An option may be spelled with
//! underscores, as theirs are. What remains is an error, which says why deepmir has no such option.

use std::collections::BTreeSet;
use std::ffi::OsString;

use anyhow::anyhow;
use clap::error::{ContextKind, ErrorKind};
use clap::{Command, CommandFactory};

use super::{Cli, names_of};

/// Options that other BIDS Apps have, and why `run` has not.
const FOREIGN: [(&[&str], &str); 14] = [
    (
        &["fs-license-file", "fs-subjects-dir", "fs-no-reconall", "fs-no-resume", "no-submm-recon"],
        "leave it out: deepmir does not use FreeSurfer",
    ),
    (
        &["output-spaces", "output-space", "output-resolution", "cifti-output"],
        "leave it out: results lie on the grid of each scan's own images",
    ),
    (
        &["output-layout"],
        "leave it out: OUT is a BIDS derivatives dataset, with sub-* folders at its top",
    ),
    (
        &["run-id", "task-id", "echo-idx", "modalities"],
        "choose scans with --participant-label and --session-label, and runs or echoes with --filter",
    ),
    (
        &["bids-database-dir", "bids-database-wipe"],
        "leave it out: deepmir lists the folders of the chosen subjects only, and keeps no index",
    ),
    (&["derivatives"], "brain masks are read from --masks DIR, maps from the dataset itself"),
    (
        &[
            "notrack",
            "no-sub",
            "email",
            "webapi-url",
            "webapi-port",
            "upload-strict",
            "track-carbon",
        ],
        "leave it out: deepmir sends nothing to anybody",
    ),
    (
        &["use-plugin", "nipype-plugin-file", "write-graph"],
        "leave it out: deepmir does not use Nipype; set --n-cpus, --jobs and --mem-gb",
    ),
    (
        &["low-mem", "resource-monitor", "profile"],
        "set --mem-gb; --dry-run prints the memory of each scan, status/sub-*.json the seconds of each stage",
    ),
    (
        &["clean-workdir"],
        "leave it out: nothing in the work folder is read again; remove the folder",
    ),
    (
        &["stop-on-first-crash"],
        "leave it out: the others go on if a subject fails, and exit status 3 says so at the end",
    ),
    (
        &["random-seed", "skull-strip-fixed-seed"],
        "leave it out: nothing is random; the same images give the same results",
    ),
    (
        &["reports-only", "boilerplate-only", "boilerplate"],
        "repeat the command: stages that are done are not done again",
    ),
    (
        &["config-file", "debug"],
        "see --config FILE for options from a file, -v and -vv for more messages",
    ),
];

/// Options in their own spelling: `--participant_label` is `--participant-label`.
pub fn with_dashes(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let known = long_names(&Cli::command());
    let mut values_follow = false;
    let spelled = |word: OsString| {
        values_follow |= word == "--";
        let text = word.to_str().filter(|_| !values_follow);
        let Some(option) = text.and_then(|text| text.strip_prefix("--")) else { return word };
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option, None),
        };
        let dashed = name.replace('_', "-");
        if dashed == name || !known.contains(&dashed) {
            return word;
        }
        match value {
            Some(value) => format!("--{dashed}={value}").into(),
            None => format!("--{dashed}").into(),
        }
    };
    words.map(spelled).collect()
}

/// The long names and aliases of all options of all commands.
fn long_names(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().flat_map(names_of).map(str::to_owned);
    let foreign = FOREIGN.iter().flat_map(|(names, _)| *names).map(|&name| name.to_owned());
    own.chain(foreign).chain(command.get_subcommands().flat_map(long_names)).collect()
}

/// Says of an option of another BIDS App why `run` does not have it; other errors stay as they are.
pub fn explain(error: clap::Error) -> anyhow::Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error.into();
    }
    let option = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let name = option.trim_start_matches('-').split(['=', ' ']).next().unwrap_or_default();
    match FOREIGN.iter().find(|(names, _)| names.contains(&name)) {
        Some((_, reason)) => anyhow!("`deepmir run` has no --{name}; {reason}"),
        None => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(words: &[&str]) -> Vec<String> {
        let words = with_dashes(words.iter().map(OsString::from));
        words.into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn underscores_are_dashes_in_names_of_options_only() {
        assert_eq!(
            spelled(&["--participant_label", "a_b", "--mem_gb=1_0", "--n_cpus", "--notrack_it"]),
            ["--participant-label", "a_b", "--mem-gb=1_0", "--n-cpus", "--notrack_it"]
        );
        assert_eq!(spelled(&["--", "--dry_run"]), ["--", "--dry_run"]);
        assert_eq!(spelled(&["--fs_license_file", "x"]), ["--fs-license-file", "x"]);
    }

    #[test]
    fn no_option_is_both_foreign_and_ours() {
        let mut command = Cli::command();
        command.build();
        let run = command.find_subcommand("run").unwrap();
        for name in FOREIGN.iter().flat_map(|(names, _)| *names) {
            let mut ours = run.get_arguments().flat_map(names_of);
            assert!(ours.all(|own| own != *name), "{name}");
        }
    }
}
