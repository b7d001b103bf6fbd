//! `deepmir predict --dicom`: import, find, and export in one go.

use anyhow::bail;
use clap::Parser;

use crate::cli::{Cli, Common, Export, Import, Predict, Verb};
use crate::status::ExitStatus;

pub fn run(arguments: &Predict, common: &Common) -> anyhow::Result<()> {
    let out = &arguments.output;
    if arguments.raw.is_given() {
        bail!("give --dicom or raw echoes, not both");
    }
    let [images, results, archive] = ["images", "results", "dicom"].map(|name| out.join(name));
    if images.exists() {
        bail!(
            "these are the images of another import; choose a new folder for the results: {}",
            images.display()
        );
    }
    let mut failed = Vec::new();
    let import = Import {
        dicom: arguments.dicom.clone(),
        output: images.clone(),
        dry_run: false,
        subjects: None,
        key: None,
        segments: Vec::new(),
        keep_dates: false,
    };
    unless_all_failed(super::import::run(&import, common), &mut failed)?;

    let mut words = vec!["deepmir".into(), "run".into(), images.into_os_string()];
    words.extend([results.clone().into_os_string(), "participant".into()]);
    words.extend(["--model".into(), arguments.model.clone().into()]);
    let given = [
        (arguments.flips, "--flips"),
        (arguments.nan_to_zero, "--nan-to-zero"),
        (arguments.strict, "--strict"),
        (arguments.viewer_files, "--viewer-files"),
    ];
    words.extend(given.into_iter().filter(|(is, _)| *is).map(|(_, word)| word.into()));
    let Verb::Run(run) = Cli::try_parse_from(words)?.verb else { bail!("`run` is a verb") };
    unless_all_failed(super::run::run(&run, common), &mut failed)?;

    let export = Export {
        results: vec![results],
        dicom: arguments.dicom.clone(),
        output: archive,
        instances: false,
        maps: false,
        series: None,
    };
    super::export::run(&export, common)?;
    match failed.is_empty() {
        true => Ok(()),
        false => Err(ExitStatus::SomeFailed(failed.join("\n")).into()),
    }
}

/// Goes on if some of the work was done, and remembers what was not.
fn unless_all_failed(done: anyhow::Result<()>, failed: &mut Vec<String>) -> anyhow::Result<()> {
    let Err(error) = done else { return Ok(()) };
    match error.downcast::<ExitStatus>() {
        Ok(ExitStatus::SomeFailed(words)) => {
            failed.push(words);
            Ok(())
        }
        Ok(other) => Err(other.into()),
        Err(error) => Err(error),
    }
}
