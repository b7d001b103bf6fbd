//! `deepmir train`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{anyhow, bail};
use deepmir_cases::folds::Split;
use deepmir_cases::outputs::{check_new, check_not_written_over};
use deepmir_cases::{CaseFiles, Checksums, Cohort, Groups};
use deepmir_model::Bundle;
use deepmir_model::bundle::{ModelSettings, Provenance};
use deepmir_model::cross_validation::{CrossValidation, Progress as Progressed};
use deepmir_net::preset::{self, Preset};
use deepmir_net::train::{SyntheticStream, Training};
use deepmir_volume::nifti::ReadOptions;

use super::implanted::{Implanted, Implanting};
use super::phantom::settings_of as phantom_settings;
use super::phantom_stream::PhantomStream;
use super::train_subjects::{check, cohort, splits};
use super::training::train;
use super::{open_model, warn_of};
use crate::cli::{Common, Train};
use crate::config;
use crate::progress::Progress;

/// That nothing which was given is written over: a model, or a table or settings in the folder of the results.
fn check_output(arguments: &Train, common: &Common) -> anyhow::Result<()> {
    let Train { output, data, init_from, retrain_on_all, .. } = arguments;
    let models: Vec<&Path> =
        init_from.iter().chain(retrain_on_all).map(|name| Path::new(name.as_str())).collect();
    let folds =
        (1..=arguments.folds.map_or(0, usize::from)).map(|n| output.join(format!("fold-{n}")));
    for folder in folds.chain([output.clone()]) {
        check_new(models.iter().copied(), &folder.join("model"))?;
    }
    if data.is_dir() {
        check_new([data.as_path()].into_iter().filter(|data| same_folder(data, output)), output)?;
    }
    let files = [Some(data), common.config.as_ref()].into_iter().flatten();
    let files = files.filter(|path| path.is_file()).map(PathBuf::as_path);
    let written = ["training.toml", "checkpoint.safetensors", "best.safetensors"];
    let is_written = |name: &str| written.contains(&name) || name.starts_with("history.");
    Ok(check_not_written_over(files, output, &is_written)?)
}

fn same_folder(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

pub fn run(arguments: &Train, common: &Common) -> anyhow::Result<()> {
    check_output(arguments, common)?;
    let init_from = arguments.init_from.as_deref().map(open_model).transpose()?;
    let implanted = implanted(arguments, init_from.as_ref(), common)?;
    let (cohort, auxiliary) = cohort(arguments, implanted.as_ref())?;
    let folds = arguments.retrain_on_all.as_deref().map(open_model).transpose()?;
    let preset = settings(arguments, common, init_from.as_ref().or(folds.as_ref()))?;
    let common_training = Training {
        name: model_name(arguments),
        data: data_name(arguments, implanted.as_ref(), &cohort, &auxiliary.cases),
        plan: preset.plan.clone(),
        architecture: preset.architecture.clone(),
        config: preset.training.clone(),
        training: Vec::new(),
        extra_training: auxiliary.cases.clone(),
        validation: Vec::new(),
        rule: None,
        synthetic: simulated(arguments, common, preset.training.seed)?,
        start: None,
        output: arguments.output.clone(),
        cache: PathBuf::new(),
        device: common.device,
        read: read_options(arguments),
    };
    if let Some(folds) = folds {
        let everyone = Training { training: cohort.cases, ..common_training };
        return retrain_on_all(folds, everyone, arguments, common);
    }
    let splits = splits(arguments, &cohort, preset.training.seed)?;
    check(arguments, &splits, &auxiliary, &preset.plan.classes)?;
    let mut models = Vec::new();
    for (n, split) in splits.iter().enumerate() {
        if arguments.fold.is_some_and(|fold| usize::from(fold) != n + 1) {
            continue;
        }
        let mut training = Training {
            training: split.training.clone(),
            validation: split.held_out.clone(),
            // Each fold with another of a model's networks, as far as there are any.
            start: init_from
                .as_ref()
                .and_then(|model| model.members.iter().cycle().nth(n).cloned()),
            ..common_training.clone()
        };
        if arguments.folds.is_some() {
            training.output = arguments.output.join(format!("fold-{}", n + 1));
            tracing::info!("fold {} of {}", n + 1, splits.len());
        }
        let path = training.output.join("model");
        models.push((train(training, arguments, common)?, path));
    }
    let has_classifier = |model: &Bundle| model.settings.candidate_classifier.is_some();
    let several = arguments.folds.is_some() || init_from.as_ref().is_some_and(has_classifier);
    if several && arguments.fold.is_none() {
        let folds = Folds { splits: &splits, groups: &cohort.groups, auxiliary: &auxiliary };
        let joined = join(&models, &folds, init_from.as_ref(), &preset, arguments, common)?;
        let path = arguments.output.join("model");
        joined.write(&path)?;
        models = vec![(joined, path)];
    }
    models.iter().for_each(|(model, path)| announce(model, path));
    Ok(())
}

/// Replaces the networks of the folds by as many that are trained on every subject, each with another seed.
fn retrain_on_all(
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
        // Validation subjects and F1 remain those of the folds, which chose the thresholds.
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
    let model = Bundle::new(settings, members, folds.patch_members)?;
    let path = arguments.output.join("model");
    model.write(&path)?;
    announce(&model, &path);
    Ok(())
}

fn announce(model: &Bundle, path: &Path) {
    let f1 = model.settings.provenance.validation_f1;
    say!("{}  (lesion F1 {f1:.3} on the validation subjects)", path.display());
}

/// The scans with implanted lesions, if any are asked for.
///
/// Their native lesions are those that the model to start from calls, or else the default one.
fn implanted(
    arguments: &Train,
    init_from: Option<&Bundle>,
    common: &Common,
) -> anyhow::Result<Option<Implanted>> {
    if !arguments.implanted.asked() {
        return Ok(None);
    }
    let model = match init_from {
        Some(model) => model.clone(),
        None => open_model("default")?,
    };
    let kept = arguments.implanted.implanted.clone();
    let implanting = Implanting {
        data: &arguments.data,
        labels: arguments.labels.as_deref(),
        only: &arguments.only,
        folder: kept.unwrap_or_else(|| arguments.output.join("implanted")),
        copies: arguments.implanted.implant,
        read: read_options(arguments),
    };
    implanting.run(&model, &arguments.output.join("labels"), common).map(Some)
}

/// Phantoms to simulate while training, if any are asked for: the same for every fold.
fn simulated(
    arguments: &Train,
    common: &Common,
    seed: u64,
) -> anyhow::Result<Option<SyntheticStream>> {
    if arguments.phantoms == 0 {
        return Ok(None);
    }
    let folder = arguments.output.join("phantoms");
    let (config, scanner_given) = phantom_settings(common)?;
    let source = PhantomStream { folder, config, randomize: !scanner_given, seed };
    Ok(Some(SyntheticStream { source: Arc::new(source), count: arguments.phantoms.into() }))
}

/// The preset (with the plan and architecture of the model to start from), changed by the config file's
/// tables, changed by the options.
fn settings(
    arguments: &Train,
    common: &Common,
    init_from: Option<&Bundle>,
) -> anyhow::Result<Preset> {
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
    if let Some(Bundle { settings, .. }) = init_from {
        let other = !arguments.inputs.is_empty() && inputs != settings.plan.inputs
            || !arguments.classes.is_empty() && classes != settings.plan.classes;
        if other {
            bail!(
                "{} reads {} and predicts {}; remove --inputs and --classes, or --init-from",
                settings.name,
                names(&settings.plan.inputs, |input| input.name()),
                names(&settings.plan.classes, |class| class.name()),
            );
        }
        preset.plan = settings.plan.clone();
        preset.architecture = settings.architecture()?.clone();
    }
    if let Some(path) = &common.config {
        let table = config::read(path)?;
        preset =
            preset.changed_by(&table).map_err(|reason| anyhow!("{reason}: {}", path.display()))?;
    }
    if let Some(Bundle { settings, .. }) = init_from
        && (!preset.plan.fits(&settings.plan)
            || Some(&preset.architecture) != settings.architecture.as_ref())
    {
        bail!(
            "the config file changes the plan or architecture of {}; remove that, or --init-from",
            settings.name
        );
    }
    preset.plan.validate()?;
    preset.architecture.validate()?;
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

/// Who took part in which fold.
struct Folds<'a> {
    splits: &'a [Split],
    groups: &'a Groups,
    auxiliary: &'a Cohort,
}

fn join(
    models: &[(Bundle, PathBuf)],
    folds: &Folds<'_>,
    init_from: Option<&Bundle>,
    preset: &Preset,
    arguments: &Train,
    common: &Common,
) -> anyhow::Result<Bundle> {
    let mut held_out: Vec<Vec<CaseFiles>> =
        folds.splits.iter().map(|split| split.held_out.clone()).collect();
    let everyone =
        Cohort { cases: held_out.iter().flatten().cloned().collect(), ..Cohort::default() };
    let extra = everyone.extra(&arguments.extra_validation)?;
    if !extra.cases.is_empty() {
        let learned_from = [&everyone.cases[..], &folds.auxiliary.cases].concat();
        let sums = Checksums::of_images(learned_from.iter().chain(&extra.cases))?;
        warn_of(sums.twins(&learned_from, &extra.cases).map(|twins| twins.warning()).iter());
    }
    let mut groups = folds.groups.clone();
    groups.extend(extra.groups);
    let count = held_out.len();
    for (n, case) in extra.cases.into_iter().enumerate() {
        held_out[n % count].push(case);
    }
    let total = held_out.iter().map(Vec::len).sum::<usize>() as u64;
    let mut progress = Progress::new("choosing thresholds", total, common);
    let mut patch_classifier: Option<Progress> = None;
    let models: Vec<Bundle> = models.iter().map(|(model, _)| model.clone()).collect();
    let read = read_options(arguments);
    let mut tell = |event| match event {
        Progressed::Subjects(done) => progress.set(done as u64, String::new),
        Progressed::PatchClassifier { step, of } => {
            let bar = patch_classifier
                .get_or_insert_with(|| Progress::new("training the patch classifier", of, common));
            bar.set(step, String::new);
        }
    };
    let (training, device) = (&preset.training, common.device);
    let cross_validation = CrossValidation {
        models: &models,
        held_out: &held_out,
        groups: &groups,
        init_from,
        config: training,
        device,
        read: &read,
        scratch: &arguments.output,
    };
    let joined = cross_validation.run(&mut tell);
    progress.finish();
    if let Some(bar) = patch_classifier {
        bar.finish();
    }
    Ok(joined?)
}

fn read_options(arguments: &Train) -> ReadOptions {
    ReadOptions { nan_to_zero: arguments.nan_to_zero }
}

fn model_name(arguments: &Train) -> String {
    let folder = || arguments.output.file_name().map(|name| name.to_string_lossy().into_owned());
    arguments.name.clone().or_else(folder).unwrap_or_else(|| "model".to_owned())
}

/// The training data in words.
fn data_name(
    arguments: &Train,
    implanted: Option<&Implanted>,
    cohort: &Cohort,
    auxiliary: &[CaseFiles],
) -> String {
    let name = arguments.data.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| "a cohort".to_owned());
    let mut words = match implanted {
        Some(implanted) => implanted.in_words.clone(),
        None => format!("{} scans of {name}", cohort.cases.len()),
    };
    if !auxiliary.is_empty() {
        words += &format!(", {} auxiliary scans", auxiliary.len());
    }
    if arguments.phantoms > 0 {
        words += &format!(", phantoms simulated while training: {}", arguments.phantoms);
    }
    words
}
