//! What `--help` says, kept as snapshots so that a change of it is seen; completions and manual pages.

use std::fs;

use crate::support::{deepmir, finished, refused, run, text};

const COMMANDS: [&[&str]; 37] = [
    &[],
    &["demo"],
    &["predict"],
    &["recon"],
    &["run"],
    &["anatomy"],
    &["import"],
    &["export"],
    &["phantom"],
    &["implant"],
    &["train"],
    &["evaluate"],
    &["qualify"],
    &["compare"],
    &["study"],
    &["study", "cell"],
    &["study", "collect"],
    &["study", "external"],
    &["view"],
    &["annotate"],
    &["cohort"],
    &["cohort", "nnunet"],
    &["cohort", "from-nnunet"],
    &["model"],
    &["model", "list"],
    &["model", "info"],
    &["model", "verify"],
    &["model", "copy"],
    &["model", "export"],
    &["model", "import"],
    &["model", "tune"],
    &["model", "adapt"],
    &["model", "range"],
    &["model", "train-anatomy"],
    &["doctor"],
    &["completions"],
    &["man"],
];

fn help(command: &[&str], flag: &str) -> String {
    let output = deepmir(command).arg(flag).env("COLUMNS", "100").output().unwrap();
    let (code, out, told) = finished(&output);
    assert_eq!(code, 0, "{told}");
    out
}

#[test]
fn every_command_explains_itself() {
    for command in COMMANDS {
        let name = format!("help {}", command.join(" ")).trim().replace(' ', "_");
        insta::assert_snapshot!(name, help(command, "--help"));
    }
}

#[test]
fn long_help_is_not_hidden_by_the_short_one() {
    let parts: [(&[&str], &[&str]); 6] = [
        (&["predict"], &["Lesion table:", "_desc-lesions_candidates.tsv", "Examples:"]),
        (&["run"], &["Exit status:", "some subjects failed", "docs/cohorts.md", "cmb_pattern"]),
        (&["study"], &["docs/study.md", "comparisons.tsv"]),
        (&["train"], &["in its derivatives", "[architecture]", "Files:"]),
        (&["evaluate"], &["pooled.tsv", "agreement.html"]),
        (&["model", "adapt"], &["Warm-starts the candidate classifier", "Examples:"]),
    ];
    for (command, words) in parts {
        let (short, long) = (help(command, "-h"), help(command, "--help"));
        for word in words {
            assert!(long.contains(word), "no {word:?} in {long}");
        }
        assert!(!short.contains("Examples:") && short.len() < long.len(), "{short}");
    }
}

#[test]
fn help_names_every_column_of_the_lesion_table() {
    let help = help(&["predict"], "--help");
    let table = help.split_once("Lesion table:").unwrap().1;
    let words: Vec<&str> = table.split([' ', ',', '\n']).collect();
    for column in deepmir_lesion::table::COLUMNS {
        assert!(words.contains(&column), "no {column}");
    }
}

#[test]
fn the_version_is_answered_and_wrong_usage_is_the_users() {
    let (code, out, _) = run(&["--version"]);
    assert_eq!((code, out.as_str()), (0, concat!("deepmir ", env!("CARGO_PKG_VERSION"), "\n")));
    for wrong in [&["predicct"][..], &["predict", "--swii", "x"], &["predict"], &[]] {
        let (code, out, told) = run(wrong);
        assert_eq!((code, out.as_str()), (1, ""), "{told}");
    }
    let (_, _, told) =
        run(&["evaluate", "--truth", "a", "--pred", "b", "-o", "c", "--match", "dice"]);
    assert!(told.contains("overlap, centre:MM or iou:T"), "{told}");
}

#[test]
fn misspelt_words_get_the_right_suggestion() {
    for (words, near) in [
        (&["predicct"][..], "'predict'"),
        (&["predict", "--swii", "x"], "'--swi'"),
        (&["predict", "--devise", "cpu"], "'--device'"),
        (&["train", "data", "--initfrom", "m"], "'--init-from'"),
        (&["train", "data", "--extra-trian", "m"], "'--extra-train'"),
        (&["train", "data", "--retrain", "m"], "'--retrain-on-all'"),
        (&["model", "tunee"], "'tune'"),
        (&["model", "tune", "m", "d", "--betta", "1"], "'--beta'"),
        (&["study", "cell", "c", "1", "--outptu", "x"], "'--output'"),
        (&["run", "a", "b", "grup"], "'group'"),
    ] {
        let (code, _, told) = run(words);
        assert_eq!(code, 1, "{told}");
        let tip = told.lines().find(|line| line.contains("tip: "));
        assert!(tip.is_some_and(|tip| tip.contains(near)), "no {near} in {told}");
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    for (shell, word) in [
        ("bash", "complete -F _deepmir"),
        ("zsh", "#compdef deepmir"),
        ("fish", "complete -c deepmir"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion:arg-completer[deepmir]"),
    ] {
        let (code, script, told) = run(&["completions", shell]);
        assert_eq!(code, 0, "{told}");
        assert!(script.contains(word) && script.contains("retrain-on-all"), "{shell}");
    }
    assert_eq!(run(&["completions", "tcsh"]).0, 1);
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("new/man1");
    let (code, _, told) = run(&["man", text(&pages)]);
    assert_eq!(code, 0, "{told}");
    for command in COMMANDS {
        let name = [&["deepmir"], command].concat().join("-") + ".1";
        let page = fs::read_to_string(pages.join(&name)).unwrap();
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{name}");
    }
    assert_eq!(fs::read_dir(&pages).unwrap().count(), COMMANDS.len(), "and nothing else");
    let page = fs::read_to_string(pages.join("deepmir-run.1")).unwrap();
    for section in [".SH EXAMPLES", ".SH FILES", ".SH \"EXIT STATUS\""] {
        assert!(page.contains(section), "{section} in {page}");
    }

    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    // The cause is told, not only what was tried.
    refused(&["man", text(&file)], &["cannot create the folder", "file", "exists"]);
}
