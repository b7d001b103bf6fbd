//! One training of `deepmir train`: its progress, and its curves as they grow.

use std::path::Path;

use anyhow::bail;
use deepmir_cases::CaseFiles;
use deepmir_lesion::LesionClass;
use deepmir_model::Bundle;
use deepmir_net::train::{Event, History, SavedSettings, Training, Validation};
use deepmir_report::curves::{self, Line, Panel};
use deepmir_volume::atomic;

use super::train_subjects::concerns;
use crate::cli::{Common, Train};
use crate::progress::Progress;
use crate::status::with_causes;

fn check_resume(output: &Path, arguments: &Train) -> anyhow::Result<()> {
    let begun = SavedSettings::read(output)?.is_some();
    if begun && !arguments.resume {
        bail!(
            "this folder holds a training; give --resume to continue it, or another folder: {}",
            output.display()
        );
    }
    let several = arguments.folds.is_some() || arguments.retrain_on_all.is_some();
    if !begun && arguments.resume && !several {
        bail!("there is no training to resume here: {}", output.display());
    }
    Ok(())
}

/// Trains one network, showing how it goes.
pub(super) fn train(
    mut training: Training,
    arguments: &Train,
    common: &Common,
) -> anyhow::Result<Bundle> {
    check_resume(&training.output, arguments)?;
    training.cache = arguments.cache.clone().unwrap_or_else(|| training.output.join("cache"));
    let names = |cases: &[CaseFiles]| {
        cases.iter().map(|case| case.id.as_str()).collect::<Vec<_>>().join(" ")
    };
    tracing::info!("training on {}", names(&training.training));
    if !training.extra_training.is_empty() {
        tracing::info!("and, as auxiliary data, on {}", names(&training.extra_training));
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
        (training.training.len() + training.extra_training.len() + training.validation.len())
            as u64,
        common,
    );
    let mut stepping = false;
    let mut mean_loss = f64::NAN;
    let mut history = History::default();
    let curves_path = training.output.join("history.svg");
    let outcome = deepmir_model::train(&training, &mut |event| match event {
        Event::Prepared { done, total } => {
            progress.set(done as u64, String::new);
            if done == total {
                progress.finish();
            }
        }
        Event::Noticed(warning) if concerns(arguments, &warning.code) => {
            progress.warn(&warning.message);
        }
        Event::Noticed(_) => {}
        Event::Resumed { step } => {
            progress = Progress::new("steps", training.config.steps, common);
            progress.resume_at(step);
            stepping = true;
            progress.log(&format!("resuming after step {step}"));
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
            progress.log(&described(validation, validated, best));
            history.validations.push(validation.clone());
            if let Err(error) = draw(&history, validated, &curves_path) {
                progress.log(&format!("cannot draw the curves: {}", with_causes(&error)));
            }
        }
        Event::StoppedEarly { step } => {
            progress.log(&format!("stopped early at step {step}: no improvement"))
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
fn described(validation: &Validation, validated: bool, best: bool) -> String {
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
