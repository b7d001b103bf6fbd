//! `deepmir train`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{anyhow, bail};
use deepmir_lesion::LesionClass;
use deepmir_net::bundle::{ModelSettings, Provenance};
use deepmir_net::preset::{self, Preset};
use deepmir_net::train::{Event, Fresh, History, SavedSettings, Training, Validation, join_folds};
use deepmir_net::{Bundle, CaseFiles};
use deepmir_report::curves::{self, Line, Panel};
use deepmir_study::Cohort;
use deepmir_study::cohort::check_apart;
use deepmir_study::folds::{Split, folds, hold_out};
use deepmir_volume::atomic;
use deepmir_volume::nifti::ReadOptions;

use super::fresh::FreshPhantoms;
use super::open_model;
use super::phantom::settings_of as phantom_settings;
use crate::cli::{Common, Train};
use crate::config;
use crate::progress::Progress;

/// Share of the subjects that weights and thresholds are chosen on.
const VALIDATION_SHARE: f64 = 0.2;

pub fn run(arguments: &Train, common: &Common) -> anyhow::Result<()> {
    let (cohort, companions) = cohort(arguments)?;
    let from = arguments.from.as_deref().map(open_model).transpose()?;
    let folds = arguments.refit.as_deref().map(open_model).transpose()?;
    let preset = settings(arguments, common, from.as_ref().or(folds.as_ref()))?;
    let start = from.and_then(|model| model.members.into_iter().next());
    let common_training = Training {
        name: model_name(arguments),
        data: data_name(arguments, &cohort, &companions),
        plan: preset.plan.clone(),
        architecture: preset.architecture.clone(),
        config: preset.training.clone(),
        training: Vec::new(),
        companions,
        validation: Vec::new(),
        rule: None,
        fresh: fresh(arguments, common, preset.training.seed)?,
        start,
        output: arguments.output.clone(),
        cache: PathBuf::new(),
        device: common.device,
        read: read_options(arguments),
    };
    if let Some(folds) = folds {
        let everyone = Training { training: cohort.cases, ..common_training };
        return refit(folds, everyone, arguments, common);
    }
    let splits = splits(arguments, &cohort, preset.training.seed)?;
    let mut models = Vec::new();
    for (n, split) in splits.iter().enumerate() {
        if arguments.fold.is_some_and(|fold| usize::from(fold) != n + 1) {
            continue;
        }
        let mut training = Training {
            training: split.training.clone(),
            validation: split.held_out.clone(),
            ..common_training.clone()
        };
        if arguments.folds.is_some() {
            training.output = arguments.output.join(format!("fold-{}", n + 1));
            tracing::info!("fold {} of {}", n + 1, splits.len());
        }
        let path = training.output.join("model");
        models.push((train(training, arguments, common)?, path));
    }
    if arguments.folds.is_some() && arguments.fold.is_none() {
        let joined = join(&models, &splits, &preset, arguments, common)?;
        let path = arguments.output.join("model");
        joined.write(&path)?;
        models = vec![(joined, path)];
    }
    models.iter().for_each(|(model, path)| announce(model, path));
    Ok(())
}

/// Networks trained on every subject, from seed to seed, in place of the folds' own.
fn refit(
    folds: Bundle,
    everyone: Training,
    arguments: &Train,
    common: &Common,
) -> anyhow::Result<()> {
    let mut members = Vec::new();
    let count = folds.members.len();
    let mut settings = folds.settings;
    for n in 1..=count {
        tracing::info!("network {n} of {count}");
        let mut training = everyone.clone();
        training.rule = Some(settings.detection.clone());
        training.output = arguments.output.join(format!("network-{n}"));
        training.config.seed += n as u64 - 1;
        let model = train(training, arguments, common)?;
        members.extend(model.members);
        // What the thresholds were chosen on, and how well they did there, is the folds' to say.
        let provenance = model.settings.provenance;
        settings = ModelSettings {
            name: model.settings.name,
            description: model.settings.description,
            provenance: Provenance {
                validation_subjects: settings.provenance.validation_subjects,
                validation_f1: settings.provenance.validation_f1,
                ..provenance
            },
            ..settings
        };
    }
    let model = Bundle::new(settings, members)?;
    let path = arguments.output.join("model");
    model.write(&path)?;
    announce(&model, &path);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer")]
fn announce(model: &Bundle, path: &Path) {
    let f1 = model.settings.provenance.validation_f1;
    println!("{}  (lesion F1 {f1:.3} on the validation subjects)", path.display());
}

/// Whom to learn from and choose on, and whom to learn from only.
fn cohort(arguments: &Train) -> anyhow::Result<(Cohort, Vec<CaseFiles>)> {
    let mut cohort = Cohort::read(&arguments.data, arguments.labels.as_deref())?;
    // Before anyone is left out: those held out must not come in by this door.
    let companions = cohort.companions(&arguments.also)?;
    if !arguments.participant_label.is_empty() {
        cohort = cohort.only(&arguments.participant_label)?;
    }
    let (tables, names): (Vec<String>, Vec<String>) =
        arguments.held_out.iter().cloned().partition(|item| Path::new(item).is_file());
    for table in tables {
        let test = Cohort::from_table(Path::new(&table))?;
        check_apart(&cohort, "the training data", &test, &table)?;
        test.companions(&arguments.also)?;
    }
    if !names.is_empty() {
        if arguments.participant_label.is_empty() {
            cohort = cohort.without(&names)?;
        } else if let Ok(both) = cohort.clone().only(&names) {
            check_apart(&cohort, "--participant-label", &both, "--held-out")?;
        }
    }
    // Scans without a truth teach nothing; a scan without an image is an error later, by name.
    let (with, without): (Vec<CaseFiles>, Vec<CaseFiles>) =
        cohort.cases.into_iter().partition(|case| case.truth.is_some());
    if !without.is_empty() {
        let names: Vec<&str> = without.iter().map(|case| case.id.as_str()).collect();
        tracing::warn!("left out, having no label map: {}", names.join(", "));
    }
    if with.is_empty() {
        bail!("no subject has a label map to learn from: {}", arguments.data.display());
    }
    Ok((Cohort { cases: with }, companions))
}

/// Phantoms to be drawn while training, if any are asked for: the same for every fold.
fn fresh(arguments: &Train, common: &Common, seed: u64) -> anyhow::Result<Option<Fresh>> {
    if arguments.phantoms == 0 {
        return Ok(None);
    }
    let folder = arguments.output.join("phantoms");
    let (config, scanner_given) = phantom_settings(common)?;
    let source = FreshPhantoms { folder, config, randomize: !scanner_given, seed };
    Ok(Some(Fresh { source: Arc::new(source), count: arguments.phantoms.into() }))
}

/// The preset (with the plan and network of the model to begin from), changed by the config file's
/// tables, changed by the options.
fn settings(arguments: &Train, common: &Common, from: Option<&Bundle>) -> anyhow::Result<Preset> {
    let mut preset = preset::by_name(&arguments.preset).map_err(|reason| anyhow!(reason))?;
    let inputs = if arguments.inputs.is_empty() {
        preset.plan.inputs.clone()
    } else {
        arguments.inputs.clone()
    };
    let classes = if arguments.classes.is_empty() {
        preset.plan.classes.clone()
    } else {
        arguments.classes.clone()
    };
    preset = preset.with(&inputs, &classes);
    if let Some(Bundle { settings, .. }) = from {
        let other = !arguments.inputs.is_empty() && inputs != settings.plan.inputs
            || !arguments.classes.is_empty() && classes != settings.plan.classes;
        if other {
            bail!(
                "{} reads {} and tells {}: leave out --inputs and --classes, or --from",
                settings.name,
                names(&settings.plan.inputs, |input| input.name()),
                names(&settings.plan.classes, |class| class.name()),
            );
        }
        (preset.plan, preset.architecture) = (settings.plan.clone(), settings.architecture.clone());
    }
    if let Some(path) = &common.config {
        let table = config::read(path)?;
        preset =
            preset.changed_by(&table).map_err(|reason| anyhow!("{reason}: {}", path.display()))?;
    }
    if let Some(Bundle { settings, .. }) = from
        && (preset.plan != settings.plan || preset.architecture != settings.architecture)
    {
        bail!(
            "the config file changes the plan or network of {}: leave that out, or --from",
            settings.name
        );
    }
    let training = &mut preset.training;
    training.steps = arguments.steps.unwrap_or(training.steps);
    training.batch_size = arguments.batch_size.unwrap_or(training.batch_size);
    training.learning_rate = arguments.learning_rate.unwrap_or(training.learning_rate);
    training.seed = arguments.seed.unwrap_or(training.seed);
    training.validate_every = training.validate_every.min(training.steps);
    Ok(preset)
}

fn names<T>(items: &[T], name: impl Fn(&T) -> &str) -> String {
    items.iter().map(name).collect::<Vec<_>>().join(",")
}

fn splits(arguments: &Train, cohort: &Cohort, seed: u64) -> anyhow::Result<Vec<Split>> {
    if let Some(count) = arguments.folds {
        if arguments.fold.is_some_and(|fold| fold > count) {
            bail!("there is no fold {} of {count}", arguments.fold.unwrap_or_default());
        }
        return Ok(folds(cohort, usize::from(count), seed)?);
    }
    if arguments.validation_label.is_empty() {
        return Ok(vec![hold_out(cohort, VALIDATION_SHARE, seed)?]);
    }
    let training = cohort.clone().without(&arguments.validation_label)?.cases;
    let held_out = cohort.clone().only(&arguments.validation_label)?.cases;
    Ok(vec![Split { training, held_out }])
}

fn refuse_unasked_resume(output: &Path, arguments: &Train) -> anyhow::Result<()> {
    let begun = SavedSettings::read(output)?.is_some();
    // Of several networks, those that are finished are gone over quickly.
    if begun && !arguments.resume {
        bail!(
            "a training was begun here: give --resume to go on with it, or another folder: {}",
            output.display()
        );
    }
    let several = arguments.folds.is_some() || arguments.refit.is_some();
    if !begun && arguments.resume && !several {
        bail!("there is no training to resume here: {}", output.display());
    }
    Ok(())
}

fn train(mut training: Training, arguments: &Train, common: &Common) -> anyhow::Result<Bundle> {
    refuse_unasked_resume(&training.output, arguments)?;
    training.cache = arguments.cache.clone().unwrap_or_else(|| training.output.join("cache"));
    let names = |cases: &[CaseFiles]| {
        cases.iter().map(|case| case.id.as_str()).collect::<Vec<_>>().join(" ")
    };
    tracing::info!("training on {}", names(&training.training));
    if !training.companions.is_empty() {
        tracing::info!("and, as companions, on {}", names(&training.companions));
    }
    if !training.validation.is_empty() {
        tracing::info!("validating on {}", names(&training.validation));
    }
    tracing::info!(
        "{} parameters, {} steps of {} patches, device {}",
        training.architecture.parameter_count(),
        training.config.steps,
        training.config.batch_size,
        if training.device.is_cpu() { "cpu".to_owned() } else { training.device.to_string() }
    );
    let mut progress = Progress::new(
        "preparing",
        (training.training.len() + training.companions.len() + training.validation.len()) as u64,
        common,
    );
    let mut stepping = false;
    let mut mean_loss = f64::NAN;
    let mut history = History::default();
    let curves_path = training.output.join("history.svg");
    let outcome = training.run(&mut |event| match event {
        Event::Prepared { done, total } => {
            progress.set(done as u64, String::new);
            if done == total {
                progress.finish();
            }
        }
        Event::Resumed { step } => {
            progress = Progress::new("steps", training.config.steps, common);
            progress.resume_at(step);
            stepping = true;
            progress.say(&format!("going on after step {step}"));
        }
        Event::Step { step, loss } => {
            if !stepping {
                progress = Progress::new("steps", training.config.steps, common);
                stepping = true;
            }
            mean_loss = if mean_loss.is_nan() { loss } else { 0.98 * mean_loss + 0.02 * loss };
            progress.set(step, || format!("loss {mean_loss:.4}"));
        }
        Event::Validated { validation, best } => {
            let validated = !training.validation.is_empty();
            progress.say(&told(validation, validated, best));
            history.validations.push(validation.clone());
            if let Err(error) = draw(&history, validated, &curves_path) {
                progress.say(&format!("the curves could not be drawn: {error}"));
            }
        }
        Event::StoppedEarly { step } => {
            progress.say(&format!("no better for long: stopped at step {step}"))
        }
    });
    progress.finish();
    let bundle = outcome?;
    if arguments.cache.is_none() {
        // Only what this training put there.
        let _ = std::fs::remove_dir_all(&training.cache);
    }
    Ok(bundle)
}

/// A validation in a line.
fn told(validation: &Validation, validated: bool, best: bool) -> String {
    let loss = format!("step {}: loss {:.4}", validation.step, validation.training_loss);
    if !validated {
        return loss;
    }
    let class = |(class, f1): &(LesionClass, f64)| match *f1 {
        f1 if f1 < 0.0 => format!("{class} n/a"),
        f1 => format!("{class} {f1:.3}"),
    };
    let classes: Vec<String> = validation.class_f1.iter().map(class).collect();
    format!(
        "{loss}, lesion F1 {:.3} ({}), average precision {:.3}{}",
        validation.f1,
        classes.join(", "),
        validation.average_precision,
        if best { ", the best so far" } else { "" }
    )
}

/// The curves; without validation subjects (`validated`), the loss alone.
fn draw(history: &History, validated: bool, path: &Path) -> anyhow::Result<()> {
    let line = |name: &str, value: &dyn Fn(&Validation) -> f64| Line {
        name: name.to_owned(),
        points: history.validations.iter().map(|row| (row.step as f64, value(row))).collect(),
    };
    let classes = history.validations.first().map(|row| row.class_f1.len()).unwrap_or_default();
    let mut quality = vec![
        line("mean F1", &|row| row.f1),
        line("average precision", &|row| row.average_precision),
    ];
    for n in 0..classes {
        let name = history
            .validations
            .first()
            .map(|row| row.class_f1[n].0.to_string())
            .unwrap_or_default();
        quality.push(line(&format!("F1 {name}"), &|row| row.class_f1[n].1.max(0.0)));
    }
    let mut panels = vec![Panel {
        title: "Training loss".to_owned(),
        x_label: "step".to_owned(),
        lines: vec![line("loss", &|row| row.training_loss)],
        y_range: None,
    }];
    if validated {
        panels.push(Panel {
            title: "Lesions of the validation subjects".to_owned(),
            x_label: "step".to_owned(),
            lines: quality,
            y_range: Some((0.0, 1.0)),
        });
    }
    atomic::write(path, curves::svg(&panels)?.as_bytes())?;
    Ok(())
}

fn join(
    models: &[(Bundle, PathBuf)],
    splits: &[Split],
    preset: &Preset,
    arguments: &Train,
    common: &Common,
) -> anyhow::Result<Bundle> {
    let held_out: Vec<&[CaseFiles]> =
        splits.iter().map(|split| split.held_out.as_slice()).collect();
    let total = held_out.iter().map(|cases| cases.len()).sum::<usize>() as u64;
    let mut progress = Progress::new("choosing thresholds", total, common);
    let models: Vec<Bundle> = models.iter().map(|(model, _)| model.clone()).collect();
    let read = read_options(arguments);
    let joined =
        join_folds(&models, &held_out, &preset.training, common.device, &read, &mut |done| {
            progress.set(done as u64, String::new);
        });
    progress.finish();
    Ok(joined?)
}

fn read_options(arguments: &Train) -> ReadOptions {
    ReadOptions { nan_to_zero: arguments.nan_to_zero }
}

fn model_name(arguments: &Train) -> String {
    let folder = || arguments.output.file_name().map(|name| name.to_string_lossy().into_owned());
    arguments.name.clone().or_else(folder).unwrap_or_else(|| "model".to_owned())
}

/// What was trained on, in words.
fn data_name(arguments: &Train, cohort: &Cohort, companions: &[CaseFiles]) -> String {
    let name = arguments.data.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| "a cohort".to_owned());
    let mut words = format!("{} scans of {name}", cohort.cases.len());
    if !companions.is_empty() {
        words += &format!(", {} others", companions.len());
    }
    if arguments.phantoms > 0 {
        words += &format!(", phantoms drawn while training: {}", arguments.phantoms);
    }
    words
}
