//! docs/cli.md, made from the definitions of the command line.

use std::fmt::Write;
use std::path::Path;

use clap::{Command, CommandFactory};

use crate::cli::Cli;

/// Set to rewrite the page in place of comparing it; `cargo xtask docs` does.
const UPDATE: &str = "DEEPMIR_UPDATE_DOCS";
const WIDTH: usize = 100;

const INTRODUCTION: &str = "\
# Command line

What `--help` prints for every command, with examples, the files that it writes and its exit statuses.
`-h` prints a shorter form, `deepmir man DIR` writes the same as manual pages, and `deepmir completions SHELL`
prints completions for a shell. The common options of `deepmir` can be given to every command; below they
are listed once.

This page is generated from the program: `cargo xtask docs`.
";

fn reference() -> String {
    let mut command =
        Cli::command().term_width(WIDTH).max_term_width(WIDTH).disable_help_subcommand(true);
    command.build();
    let mut page = INTRODUCTION.to_owned();
    section(&command, &mut page);
    page
}

/// A command and all below it.
fn section(command: &Command, page: &mut String) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let shown = match name {
        "deepmir" => command.clone(),
        _ => command.clone().mut_args(|arg| {
            let hidden = arg.is_hide_set() || arg.is_global_set() || arg.get_id() == "help";
            arg.hide(hidden)
        }),
    };
    let help = shown.term_width(WIDTH).max_term_width(WIDTH).render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(page, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    command.get_subcommands().for_each(|inner| section(inner, page));
}

#[test]
fn the_page_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let wanted = reference();
    if std::env::var_os(UPDATE).is_some() {
        return std::fs::write(&path, wanted).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == wanted, "docs/cli.md is stale; run `cargo xtask docs` and commit it");
}

#[test]
fn every_command_has_an_about_in_the_imperative_and_no_long_lines() {
    fn check(command: &Command) {
        let name = command.get_name();
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let first = about.split_whitespace().next().unwrap_or_default();
        assert!(!first.is_empty() && !first.ends_with('s'), "{name}: {about:?}");
        if let Some(part) = command.get_after_long_help() {
            for line in part.to_string().lines() {
                assert!(line.chars().count() <= WIDTH, "{name}: {line}");
            }
        }
        command.get_subcommands().for_each(check);
    }
    check(&Cli::command());
}
