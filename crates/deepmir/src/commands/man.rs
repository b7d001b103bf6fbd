//! `deepmir man`: manual pages from the definitions of the command line.

use std::path::Path;

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, roman};
use deepmir_volume::atomic;

use crate::cli::sections;
use crate::cli::{Cli, Man};

pub fn run(arguments: &Man) -> anyhow::Result<()> {
    let folder = &arguments.output;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create the folder: {}", folder.display()))?;
    // `deepmir help` needs no page of its own.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    write(&command, folder)
}

/// The page of a command and of all below it.
fn write(command: &Command, folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(Page::new(command.clone()).get_filename());
    let page = page(command).with_context(|| format!("cannot make: {}", path.display()))?;
    atomic::write(&path, &page).with_context(|| format!("cannot write: {}", path.display()))?;
    command.get_subcommands().try_for_each(|inner| write(inner, folder))
}

fn page(command: &Command) -> std::io::Result<Vec<u8>> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let source = format!("deepmir {}", env!("CARGO_PKG_VERSION"));
    let page = Page::new(command.clone()).source(source).manual("deepmir manual");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut text)?;
    }
    for (title, body) in command.get_after_long_help().map(sections::split).unwrap_or_default() {
        let mut section = Roff::default();
        section.control("SH", [title.to_uppercase().as_str()]);
        section.control("nf", []);
        section.text([roman(body.trim_end())]);
        section.control("fi", []);
        section.to_writer(&mut text)?;
    }
    if name != "deepmir" {
        let mut section = Roff::default();
        section.control("SH", ["SEE ALSO"]);
        section.text([roman("deepmir(1)")]);
        section.to_writer(&mut text)?;
    }
    Ok(text)
}
