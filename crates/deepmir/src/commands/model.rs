//! `deepmir model`.

use std::path::{Path, PathBuf};

use comfy_table::{Table, presets};
use deepmir_cases::outputs::check_new;
use deepmir_cases::{Cohort, Modality};
use deepmir_model::{Bundle, Detector, ModelSettings, measure_range, shipped};
use deepmir_net::{Architecture, infer};

use super::fine_tune::{adapted, tuned};
use super::{open_model, train_anatomy};
use crate::cli::{Common, MeasureRange, Model};
use crate::progress::Progress;

pub fn run(arguments: &Model, common: &Common) -> anyhow::Result<()> {
    match arguments {
        Model::List => list(),
        Model::Info { model } => info(&open_model(model)?),
        Model::Verify { model } => verify(&open_model(model)?, common),
        Model::Copy { model, output, name, description, licence } => {
            check_new([Path::new(model)], output)?;
            let bundle = open_model(model)?;
            let mut settings = bundle.settings.clone();
            let changes = [
                (name, &mut settings.name),
                (description, &mut settings.description),
                (licence, &mut settings.licence),
            ];
            for (change, setting) in changes {
                if let Some(change) = change {
                    setting.clone_from(change);
                }
            }
            Ok(bundle.with_settings(settings)?.write(output)?)
        }
        Model::Export { model, output } => {
            for path in open_model(model)?.export_onnx(output)? {
                say!("{}", path.display());
            }
            Ok(())
        }
        Model::Import { networks, plan, output } => {
            check_new(networks.iter().map(PathBuf::as_path).chain([plan.as_path()]), output)?;
            let bundle = Bundle::import(networks, plan)?;
            bundle.write(output)?;
            say!("{} (id {})", output.display(), bundle.id());
            Ok(())
        }
        Model::Tune(arguments) => tuned(arguments, common),
        Model::Adapt(arguments) => adapted(arguments, common),
        Model::Range(arguments) => range(arguments, common),
        Model::TrainAnatomy(arguments) => train_anatomy::run(arguments, common),
    }
}

fn list() -> anyhow::Result<()> {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_FULL_CONDENSED)
        .set_header(["name", "inputs", "classes", "MB", ""]);
    for model in shipped::MODELS {
        let bundle = model.open()?;
        let plan = &bundle.settings.plan;
        let join = |names: Vec<&str>| names.join("+");
        table.add_row([
            model.name.to_owned(),
            inputs(&bundle.settings),
            join(plan.classes.iter().map(|class| class.name()).collect()),
            format!("{:.1}", model.bytes.len() as f64 / 1e6),
            bundle.settings.description.clone(),
        ]);
    }
    say!("{table}");
    Ok(())
}

/// The inputs, in parentheses those that may be missing.
fn inputs(settings: &ModelSettings) -> String {
    let plan = &settings.plan;
    let name = |input: &Modality| match input {
        Modality::Swi => {
            let contrasts: Vec<&str> = settings.contrasts.iter().map(|one| one.name()).collect();
            contrasts.join("|")
        }
        other => other.name().to_owned(),
    };
    let (needed, optional): (Vec<Modality>, Vec<Modality>) =
        plan.inputs.iter().partition(|&&input| plan.needs(input));
    let needed: Vec<String> = needed.iter().map(name).collect();
    let optional: Vec<String> =
        optional.iter().map(|input| format!("(+{})", name(input))).collect();
    format!("{}{}", needed.join("+"), optional.concat())
}

/// The settings. Of a candidate classifier only its most used features: its trees would fill hundreds of
/// lines.
fn info(bundle: &Bundle) -> anyhow::Result<()> {
    match &bundle.settings.architecture {
        Some(architecture) => {
            say!("# {} parameters, id {}", architecture.parameter_count(), bundle.id());
        }
        None => {
            let bytes: usize = bundle.imported.iter().map(Vec::len).sum();
            let count = bundle.imported.len();
            say!("# {count} imported networks, {:.1} MB, id {}", bytes as f64 / 1e6, bundle.id());
        }
    }
    let mut settings = bundle.settings.clone();
    if let Some(classifier) = settings.candidate_classifier.take() {
        say!(
            "# Candidate classifier: {} trees; share of each feature in their splits",
            classifier.trees().count()
        );
        for (feature, share) in classifier.split_shares() {
            say!("#   {:<21} {:4.1} %", feature.name(), 100.0 * share);
        }
    }
    if let Some(classifier) = &settings.patch_classifier {
        let (count, parameters) =
            (classifier.weights.len(), classifier.parameter_count(&settings.plan));
        say!("# Patch classifier: {count} networks of {parameters} parameters");
    }
    say!("{}", toml::to_string(&settings)?);
    Ok(())
}

/// Reading has checked checksums and shapes; this runs the networks.
fn verify(bundle: &Bundle, common: &Common) -> anyhow::Result<()> {
    for network in bundle.imported_networks()? {
        let name = &bundle.settings.name;
        network.try_once().map_err(|error| anyhow::anyhow!("{error}: {name}"))?;
    }
    if let Some(architecture) = &bundle.settings.architecture {
        verify_networks(bundle, architecture, common)?;
    }
    bundle.patch_classifier()?;
    say!("{} is intact and runs (id {})", bundle.settings.name, bundle.id());
    Ok(())
}

fn verify_networks(
    bundle: &Bundle,
    architecture: &Architecture,
    common: &Common,
) -> anyhow::Result<()> {
    let side = architecture.size_multiple().max(32);
    let shape = [1, architecture.input_channels, side, side];
    for mut network in infer::networks(architecture, &bundle.members, common.device)? {
        let input = vec![0.0; shape.iter().product()];
        let output = network.probabilities(input, shape)?;
        if !output.iter().all(|value| (0.0..=1.0).contains(value)) {
            anyhow::bail!("{} predicts values that are not probabilities", bundle.settings.name);
        }
    }
    Ok(())
}

/// Measures the range of training scans, prints it and writes it into a copy of the model if asked to.
#[expect(clippy::print_stdout, reason = "the answer")]
fn range(arguments: &MeasureRange, common: &Common) -> anyhow::Result<()> {
    let (cohort, _) = Cohort::labelled(&arguments.data, None)?;
    let mut detector = Detector::new(open_model(&arguments.model)?, common.device)?;
    let mut progress = Progress::new("measuring", cohort.cases.len() as u64, common);
    let model = measure_range(&mut detector, &cohort.cases, &mut |done| {
        progress.set(done as u64, String::new);
    });
    progress.finish();
    let model = model?;
    print!("{}", toml::to_string(&model.settings.training_range)?);
    if let Some(output) = &arguments.output {
        model.write(output)?;
        println!("# {}", output.display());
    }
    Ok(())
}
