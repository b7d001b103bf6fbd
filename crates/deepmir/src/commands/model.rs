//! `deepmir model`.

use std::path::Path;

use anyhow::bail;
use comfy_table::{Table, presets};
use deepmir_lesion::operating_point::{Adapted, AtThreshold, Tuned};
use deepmir_net::infer;
use deepmir_net::{Bundle, CaseFiles, Modality, Plan, shipped};
use deepmir_study::cohort::dataset_name;
use deepmir_study::predict::Predictor;
use deepmir_study::tune::{adapt, tune};
use deepmir_study::{Cohort, StudyError};
use deepmir_volume::nifti::ReadOptions;

use super::open_model;
use crate::cli::{Common, Model, Tune};
use crate::progress::Progress;

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
        Model::Tune(arguments) => tuned(arguments, common),
        Model::Adapt(arguments) => adapted(arguments, common),
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

/// Thresholds anew: told as a table, and written into a copy of the model where one is asked for.
fn tuned(arguments: &Tune, common: &Common) -> anyhow::Result<()> {
    let mut judging = Judging::new(arguments, "tuned", common)?;
    let (model, classes) = judging.with(common, |predictor, cases, data, progress| {
        tune(predictor, cases, data, arguments.beta, progress)
    })?;
    tell(&model, &classes, judging.cases.len(), arguments.output.as_deref())
}

/// The second look as it went on learning, and thresholds for it.
#[expect(clippy::print_stdout, reason = "the answer")]
fn adapted(arguments: &Tune, common: &Common) -> anyhow::Result<()> {
    let mut judging = Judging::new(arguments, "adapted", common)?;
    let (model, adapted) = judging.with(common, |predictor, cases, data, progress| {
        adapt(predictor, cases, data, arguments.beta, progress)
    })?;
    let Adapted { rounds, loss_before, loss_after, classes, .. } = adapted;
    if rounds == 0 {
        println!(
            "The second look stays: nothing learned from some of these scans helped with the others by more than chance."
        );
    } else {
        println!(
            "{rounds} rounds of trees more: log-loss of a scan left out {loss_after:.2} ({loss_before:.2} before)."
        );
        println!("\"After\" is by looks that did not learn from the scan.");
    }
    tell(&model, &classes, judging.cases.len(), arguments.output.as_deref())
}

/// A model, and the scans that it is to judge.
struct Judging {
    predictor: Predictor,
    cases: Vec<CaseFiles>,
    /// The scans in words.
    data: String,
}

impl Judging {
    fn new(arguments: &Tune, suffix: &str, common: &Common) -> anyhow::Result<Self> {
        let Tune { data, labels, participant_label, beta, .. } = arguments;
        if !(beta.is_finite() && *beta > 0.0) {
            bail!("--beta is a positive number, such as 1 or 1.5, and not {beta}");
        }
        if data.len() > 1 && (labels.is_some() || !participant_label.is_empty()) {
            bail!(
                "--labels and --participant-label are of one dataset: give one, or a table of all scans"
            );
        }
        let (mut cohort, without) = Cohort::labelled(data, labels.as_deref())?;
        if !without.is_empty() {
            tracing::warn!("left out, having no label map: {}", without.join(", "));
        }
        if !participant_label.is_empty() {
            cohort = cohort.only(participant_label)?;
        }
        let names: Vec<String> = data.iter().map(|path| dataset_name(path)).collect();
        let data = format!("{} scans of {}", cohort.cases.len(), names.join(", "));

        let mut model = open_model(&arguments.model)?;
        let name = &mut model.settings.name;
        *name = arguments.name.clone().unwrap_or_else(|| format!("{name}-{suffix}"));
        let mut predictor = Predictor::new(model, common.device)?;
        predictor.read = ReadOptions { nan_to_zero: arguments.nan_to_zero };
        Ok(Self { predictor, cases: cohort.cases, data })
    }

    /// Does it, with a progress bar.
    fn with<T>(
        &mut self,
        common: &Common,
        judge: impl FnOnce(
            &mut Predictor,
            &[CaseFiles],
            &str,
            &mut dyn FnMut(usize),
        ) -> Result<T, StudyError>,
    ) -> Result<T, StudyError> {
        let mut progress = Progress::new("judging", self.cases.len() as u64, common);
        let mut tell = |done: usize| progress.set(done as u64, String::new);
        let outcome = judge(&mut self.predictor, &self.cases, &self.data, &mut tell);
        progress.finish();
        outcome
    }
}

#[expect(clippy::print_stdout, reason = "the answer")]
fn tell(
    model: &Bundle,
    classes: &[Tuned],
    scans: usize,
    output: Option<&Path>,
) -> anyhow::Result<()> {
    println!("{}", thresholds(classes, scans));
    for class in classes.iter().filter(|class| !class.chosen()) {
        println!("{}: too few lesions to choose on, the threshold stays", class.class);
    }
    if let Some(output) = output {
        model.write(output)?;
        println!("{}", output.display());
    }
    Ok(())
}

/// What every threshold was and is, and what it finds.
fn thresholds(classes: &[Tuned], scans: usize) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header([
        "class",
        "lesions",
        "",
        "threshold",
        "sensitivity",
        "precision",
        "F1",
        "false a scan",
    ]);
    let ratio = |value: Option<f64>| value.map_or("n/a".to_owned(), |value| format!("{value:.3}"));
    for Tuned { class, lesions, before, after } in classes {
        for (name, at) in [("before", before), ("after", after)] {
            let AtThreshold { peak, found, matched } = *at;
            let share = |of: usize| (of > 0).then(|| matched as f64 / of as f64);
            table.add_row([
                class.to_string(),
                lesions.to_string(),
                name.to_owned(),
                format!("{peak}"),
                ratio(share(*lesions)),
                ratio(share(found)),
                ratio(at.f1(*lesions)),
                format!("{:.2}", (found - matched) as f64 / scans.max(1) as f64),
            ]);
        }
    }
    table
}
