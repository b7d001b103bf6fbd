//! `deepmir model tune` and `deepmir model adapt`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use comfy_table::{Table, presets};
use deepmir_cases::Cohort;
use deepmir_cases::cohort::dataset_name;
use deepmir_cases::outputs::check_new;
use deepmir_cases::{CaseFiles, Checksums, Groups, same_patient};
use deepmir_detect::operating_point::{Adapted, ThresholdChoice, ThresholdCounts, TunedThreshold};
use deepmir_model::{Bundle, Detector, ModelError, TunedInputs, adapt, tune};
use deepmir_volume::nifti::ReadOptions;

use super::implanted::{Implanted, Implanting};
use super::{chosen, open_model, warn_of};
use crate::cli::{self, Adapt, Common, Tune};
use crate::progress::Progress;

/// That the new model is written neither over the old one nor into the data, and β can be one.
fn check_arguments(arguments: &Tune) -> anyhow::Result<()> {
    let beta = arguments.beta;
    if !(beta.is_finite() && beta > 0.0) {
        bail!("--beta must be a positive number, such as 1 or 1.5, not {beta}");
    }
    let Some(output) = &arguments.output else { return Ok(()) };
    let data = arguments.data.iter().map(PathBuf::as_path).filter(|path| path.is_file());
    Ok(check_new([Path::new(&arguments.model)].into_iter().chain(data), output)?)
}

/// Chooses thresholds, prints them as a table and writes them into a copy of the model if asked to.
pub fn tuned(arguments: &Tune, common: &Common) -> anyhow::Result<()> {
    check_arguments(arguments)?;
    let model = open_model(&arguments.model)?;
    let scans = Scans::labelled(arguments, &model)?;
    let mut calibration = Calibration::new(arguments, model, "tuned", scans, common)?;
    let (model, tuned) = calibration.with(common, |detector, cases, data, progress| {
        tune(detector, cases, data, arguments.beta, progress)
    })?;
    print_and_write(&model, &tuned, arguments.output.as_deref())
}

/// Fine-tunes the candidate classifier, then chooses thresholds for it.
pub fn adapted(
    Adapt { tune: arguments, implanted }: &Adapt,
    common: &Common,
) -> anyhow::Result<()> {
    check_arguments(arguments)?;
    let model = open_model(&arguments.model)?;
    // Gone when the model is written.
    let scratch = tempfile::tempdir()?;
    let (scans, choice) = if implanted.asked() {
        let scans = Scans::implanted(arguments, implanted, &model, scratch.path(), common)?;
        (scans, ThresholdChoice::SameCalls)
    } else {
        let beta = arguments.beta;
        (Scans::labelled(arguments, &model)?, ThresholdChoice::BestF { beta })
    };
    let mut calibration = Calibration::new(arguments, model, "adapted", scans, common)?;
    let groups = calibration.groups.clone();
    let by_inputs = !calibration.detector.bundle().settings.operating_points.is_empty();
    let is_first = calibration.detector.detection().classifier.is_none();
    let (mut model, adapted) = calibration.with(common, |detector, cases, data, progress| {
        adapt(detector, cases, data, choice, &groups, progress)
    })?;
    let Adapted { rounds, loss_before, loss_after, classes, .. } = adapted;
    if rounds == 0 {
        say!(
            "The candidate classifier is kept: cross-validation over these scans shows no gain from fine-tuning."
        );
    } else {
        if is_first {
            say!(
                "A candidate classifier of {rounds} boosting rounds was fitted: log-loss of a held-out scan \
                 {loss_after:.2} ({loss_before:.2} by the number of lesions alone)."
            );
        } else {
            say!(
                "{rounds} boosting rounds added: log-loss of a held-out scan {loss_after:.2} ({loss_before:.2} before)."
            );
        }
        say!("\"after\" is cross-validated: by classifiers that were not fitted to the scan.");
        if implanted.asked() {
            say!(
                "Thresholds are those at which it makes as many calls beside the implants as before; whether these calls are \
                 right, implants cannot tell."
            );
            let mut settings = model.settings.clone();
            settings.description += &format!(" Adapted to {}.", calibration.data);
            model = model.with_settings(settings)?;
        }
    }
    if by_inputs && model.settings.operating_points.is_empty() {
        say!(
            "Thresholds and calibration by set of images belonged to the old trees and are left out: the new thresholds hold \
             for every scan, and \"before\" is without them."
        );
    }
    let scans = calibration.cases.len();
    let tuned = TunedInputs { images: None, scans, classes };
    print_and_write(&model, &[tuned], arguments.output.as_deref())
}

/// Scans to fit a model to.
struct Scans {
    cohort: Cohort,
    /// In words.
    data: String,
}

impl Scans {
    /// Labelled ones.
    fn labelled(arguments: &Tune, model: &Bundle) -> anyhow::Result<Self> {
        let Tune { data, labels, only, .. } = arguments;
        if data.len() > 1 && (labels.is_some() || !only.is_empty()) {
            bail!(
                "--labels, --participant-label and --session-label need one dataset: give one, or a table of all scans"
            );
        }
        let (cohort, without) = Cohort::labelled(data, labels.as_deref())?;
        if !without.is_empty() {
            tracing::warn!("left out, having no label map: {}", without.join(", "));
        }
        let cohort = with_groups(chosen(cohort, only)?, arguments)?;
        warn_of_known(model, &cohort)?;
        let names: Vec<String> = data.iter().map(|path| dataset_name(path)).collect();
        let data = format!("{} scans of {}", cohort.cases.len(), names.join(", "));
        Ok(Self { cohort, data })
    }

    /// Implanted ones.
    fn implanted(
        arguments: &Tune,
        implanted: &cli::Implanted,
        model: &Bundle,
        scratch: &Path,
        common: &Common,
    ) -> anyhow::Result<Self> {
        let [data] = arguments.data.as_slice() else {
            bail!("implants are learned from in one dataset: give one");
        };
        let implanting = Implanting {
            data,
            labels: arguments.labels.as_deref(),
            only: &arguments.only,
            folder: implanted.implanted.clone().unwrap_or_else(|| scratch.join("implanted")),
            copies: implanted.implant,
            read: ReadOptions { nan_to_zero: arguments.nan_to_zero },
        };
        let implanted = implanting.run(model, &scratch.join("labels"), common)?;
        let Implanted { learned_from, sources, in_words } = implanted;
        let originals = Cohort { cases: sources.cases, ..learned_from.cohort.clone() };
        warn_of_known(model, &originals)?;
        let cohort = with_groups(learned_from.cohort, arguments)?;
        Ok(Self { cohort, data: in_words })
    }
}

/// With the patients of `--groups`.
fn with_groups(mut cohort: Cohort, arguments: &Tune) -> anyhow::Result<Cohort> {
    if let Some(table) = &arguments.groups {
        let known = cohort.subjects().into_iter().collect();
        cohort.groups.add_table(table, &known)?;
    }
    warn_of(&cohort.warnings);
    Ok(cohort)
}

/// A model, and the scans to run it on.
struct Calibration {
    detector: Detector,
    cases: Vec<CaseFiles>,
    /// Which of them belong together.
    groups: Groups,
    /// The scans in words.
    data: String,
}

impl Calibration {
    fn new(
        arguments: &Tune,
        mut model: Bundle,
        suffix: &str,
        Scans { cohort, data }: Scans,
        common: &Common,
    ) -> anyhow::Result<Self> {
        let name = &mut model.settings.name;
        *name = arguments.name.clone().unwrap_or_else(|| format!("{name}-{suffix}"));
        let mut detector = Detector::new(model, common.device)?;
        detector.read = ReadOptions { nan_to_zero: arguments.nan_to_zero };
        Ok(Self { detector, cases: cohort.cases, groups: cohort.groups, data })
    }

    /// Runs it, with a progress bar.
    fn with<T>(
        &mut self,
        common: &Common,
        work: impl FnOnce(
            &mut Detector,
            &[CaseFiles],
            &str,
            &mut dyn FnMut(usize),
        ) -> Result<T, ModelError>,
    ) -> Result<T, ModelError> {
        let mut progress = Progress::new("predicting", self.cases.len() as u64, common);
        let mut tell = |done: usize| progress.set(done as u64, String::new);
        let outcome = work(&mut self.detector, &self.cases, &self.data, &mut tell);
        progress.finish();
        warn_of(&self.detector.noticed);
        outcome
    }
}

/// Tells of scans that the model learned from, of scans that are there twice and of visits that count as patients:
/// thresholds chosen on them are too good.
fn warn_of_known(model: &Bundle, cohort: &Cohort) -> anyhow::Result<()> {
    let sums = Checksums::of_images(&cohort.cases)?;
    let known = model.settings.provenance.learned_from(&cohort.cases, &sums);
    if !known.is_empty() {
        tracing::warn!(
            "{} learned from {} of these scans ({}), on which thresholds would be too good; leave them out",
            model.settings.name,
            known.len(),
            known.join(", ")
        );
    }
    warn_of(sums.twice(&cohort.cases).map(|twins| twins.warning()).iter());
    let alone = |name: &&String| cohort.groups.of(name) == name.as_str();
    let subjects = cohort.subjects();
    let subjects: Vec<&str> = subjects.iter().filter(alone).map(String::as_str).collect();
    let visits = |n: usize| same_patient(&subjects[n..=n], &subjects[n + 1..]);
    if let Some((first, second)) = (0..subjects.len()).find_map(visits) {
        tracing::warn!(
            "{first} and {second} look like visits of one patient and count as two; say who is one patient in a \
             column patient of the table, or with --groups"
        );
    }
    Ok(())
}

fn print_and_write(
    model: &Bundle,
    tuned: &[TunedInputs],
    output: Option<&Path>,
) -> anyhow::Result<()> {
    for TunedInputs { images, scans, classes } in tuned {
        if let Some(images) = images {
            say!("{} scans with {} alone:", scans, images.join(", "));
        }
        say!("{}", thresholds(classes, *scans));
        for class in classes.iter().filter(|class| !class.chosen()) {
            say!("{}: too few lesions to choose a threshold, the old one is kept", class.class);
        }
    }
    if let Some(output) = output {
        model.write(output)?;
        say!("{}", output.display());
    }
    Ok(())
}

/// Every threshold before and after, and its sensitivity and precision.
fn thresholds(classes: &[TunedThreshold], scans: usize) -> Table {
    let nobody_knows = |at: &ThresholdCounts| at.unknown > 0;
    let some = classes.iter().any(|one| nobody_knows(&one.before) || nobody_knows(&one.after));
    let mut header =
        vec!["class", "lesions", "", "threshold", "sensitivity", "precision", "F1", "FP/scan"];
    if some {
        header.push("unknown/scan");
    }
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(header);
    let ratio = |value: Option<f64>| value.map_or("n/a".to_owned(), |value| format!("{value:.3}"));
    for TunedThreshold { class, lesions, before, after } in classes {
        for (name, at) in [("before", before), ("after", after)] {
            let ThresholdCounts { detection_threshold, found, matched, unknown } = *at;
            let share = |of: usize| (of > 0).then(|| matched as f64 / of as f64);
            let mut row = vec![
                class.to_string(),
                lesions.to_string(),
                name.to_owned(),
                format!("{detection_threshold}"),
                ratio(share(*lesions)),
                ratio(share(found)),
                ratio(at.f1(*lesions)),
                format!("{:.2}", (found - matched) as f64 / scans.max(1) as f64),
            ];
            if some {
                row.push(format!("{:.2}", unknown as f64 / scans.max(1) as f64));
            }
            table.add_row(row);
        }
    }
    table
}
