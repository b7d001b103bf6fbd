//! One file per verb.

mod anatomy;
mod annotate;
mod cohort;
mod compare;
mod completions;
mod demo;
mod doctor;
mod evaluate;
mod export;
mod external;
mod fine_tune;
mod implant;
mod implanted;
mod import;
mod man;
mod model;
mod phantom;
mod phantom_stream;
mod predict;
mod predict_dicom;
mod qualify;
mod recon;
mod recon_truth;
mod run;
mod scan;
mod study;
mod train;
mod train_anatomy;
mod train_subjects;
mod training;
mod view;

use std::path::Path;

use deepmir_cases::Cohort;
use deepmir_model::{Bundle, shipped};
use deepmir_volume::Warning;

use crate::cli::{Cli, Labels, Verb};

/// Printed wherever results are shown.
pub const NOT_A_DEVICE: &str = "Research software, not a medical device.";

/// Runs the command line's verb.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.verb {
        Verb::Predict(arguments) => predict::run(&arguments, &cli.common),
        Verb::Anatomy(arguments) => anatomy::run(&arguments, &cli.common),
        Verb::Import(arguments) => import::run(&arguments, &cli.common),
        Verb::Export(arguments) => export::run(&arguments, &cli.common),
        Verb::Demo(arguments) => demo::run(&arguments, &cli.common),
        Verb::Phantom(arguments) => phantom::run(&arguments, &cli.common),
        Verb::Implant(arguments) => implant::run(&arguments, &cli.common),
        Verb::Recon(arguments) => recon::run(&arguments, &cli.common),
        Verb::Run(arguments) => run::run(&arguments, &cli.common),
        Verb::Train(arguments) => train::run(&arguments, &cli.common),
        Verb::Evaluate(arguments) => evaluate::run(&arguments, &cli.common),
        Verb::Qualify(arguments) => qualify::run(&arguments, &cli.common),
        Verb::Compare(arguments) => compare::run(&arguments, &cli.common),
        Verb::Study(arguments) => study::run(&arguments, &cli.common),
        Verb::View(arguments) => view::run(&arguments),
        Verb::Annotate(arguments) => annotate::run(&arguments),
        Verb::Cohort(arguments) => cohort::run(&arguments, &cli.common),
        Verb::Model(arguments) => model::run(&arguments, &cli.common),
        Verb::Doctor(_) => doctor::run(&cli.common),
        Verb::Completions(arguments) => completions::run(&arguments),
        Verb::Man(arguments) => man::run(&arguments),
    }
}

/// Tells what was noticed.
fn warn_of<'a>(warnings: impl IntoIterator<Item = &'a Warning>) {
    warnings.into_iter().for_each(|warning| tracing::warn!("{warning}"));
}

/// The scans of the subjects and sessions that were asked for, or all.
fn chosen(mut cohort: Cohort, only: &Labels) -> anyhow::Result<Cohort> {
    if !only.participant_label.is_empty() {
        cohort = cohort.only(&only.participant_label)?;
    }
    if !only.session_label.is_empty() {
        cohort = cohort.only_sessions(&only.session_label)?;
    }
    Ok(cohort)
}

/// Opens a shipped model by its name, or one from a folder or file.
fn open_model(name: &str) -> anyhow::Result<Bundle> {
    if let Some(model) = shipped::by_name(name) {
        return Ok(model?);
    }
    let path = Path::new(name);
    if !path.exists() {
        let names: Vec<&str> = shipped::MODELS.iter().map(|model| model.name).collect();
        anyhow::bail!(
            "there is no model {name}: give default, {}, or a model's folder or .deepmir file",
            names.join(", ")
        );
    }
    Ok(Bundle::read(path)?)
}
