//! `deepmir model`.

use comfy_table::{Table, presets};
use deepmir_net::infer;
use deepmir_net::{Bundle, Modality, Plan, shipped};

use super::open_model;
use crate::cli::{Common, Model};

pub fn run(arguments: &Model, common: &Common) -> anyhow::Result<()> {
    match arguments {
        Model::List => list(),
        Model::Info { model } => info(&open_model(model)?),
        Model::Verify { model } => verify(&open_model(model)?, common),
        Model::Copy { model, output, name, description, licence } => {
            let Bundle { mut settings, members, closer } = open_model(model)?;
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
            Ok(Bundle::with_closer_look(settings, members, closer)?.write(output)?)
        }
    }
}

#[expect(clippy::print_stdout, reason = "the answer")]
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
            inputs(plan),
            join(plan.classes.iter().map(|class| class.name()).collect()),
            format!("{:.1}", model.bytes.len() as f64 / 1e6),
            bundle.settings.description.clone(),
        ]);
    }
    println!("{table}");
    Ok(())
}

/// The inputs, in brackets those that may be missing.
fn inputs(plan: &Plan) -> String {
    let (needed, optional): (Vec<Modality>, Vec<Modality>) =
        plan.inputs.iter().partition(|&&input| plan.needs(input));
    let needed: Vec<&str> = needed.iter().map(|input| input.name()).collect();
    let optional: Vec<String> = optional.iter().map(|input| format!("(+{input})")).collect();
    format!("{}{}", needed.join("+"), optional.concat())
}

/// The settings, of a second look only what it asks about: its trees would fill hundreds of lines.
#[expect(clippy::print_stdout, reason = "the answer")]
fn info(bundle: &Bundle) -> anyhow::Result<()> {
    println!("# {} parameters, id {}", bundle.settings.architecture.parameter_count(), bundle.id());
    let mut settings = bundle.settings.clone();
    if let Some(look) = settings.detection.second_look.take() {
        println!("# A second look of {} trees, which ask about", look.trees().count());
        for (feature, share) in look.asked() {
            println!("#   {:<16} {:4.1} %", feature.name(), 100.0 * share);
        }
    }
    if let Some(look) = &settings.closer_look {
        let (count, parameters) = (look.weights.len(), look.parameter_count(&settings.plan));
        println!("# A closer look by {count} networks of {parameters} parameters");
    }
    println!("{}", toml::to_string(&settings)?);
    Ok(())
}

/// Reading has checked the checksums and shapes; what is left is to run it.
#[expect(clippy::print_stdout, reason = "the answer")]
fn verify(bundle: &Bundle, common: &Common) -> anyhow::Result<()> {
    let architecture = &bundle.settings.architecture;
    let side = architecture.size_multiple().max(32);
    let shape = [1, architecture.input_channels, side, side];
    for mut network in infer::networks(architecture, &bundle.members, common.device)? {
        let input = vec![0.0; shape.iter().product()];
        let output = network.probabilities(input, shape)?;
        if !output.iter().all(|value| (0.0..=1.0).contains(value)) {
            anyhow::bail!("{} gives numbers that are no probabilities", bundle.settings.name);
        }
    }
    bundle.closer_look()?;
    println!("{} is whole and runs (id {})", bundle.settings.name, bundle.id());
    Ok(())
}
