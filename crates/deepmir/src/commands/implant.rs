//! `deepmir implant`.

use std::path::Path;

use anyhow::anyhow;
use deepmir_model::Bundle;
use deepmir_phantom::implant::{ImplantConfig, Ladder};
use deepmir_study::StudyError;
use deepmir_study::implant::{
    Event, ImplantPlan, Implants, NativeCalls, ProtocolDefaults, Summary, copies_of, write_dataset,
};
use deepmir_study::implanted::ModelCalls;
use deepmir_volume::nifti::ReadOptions;
use serde::Deserialize;

use super::{open_model, recon};
use crate::cli::{Common, Implant};
use crate::config;
use crate::progress::Progress;
use crate::status::ExitStatus;

/// The `[implant]` table of the config file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImplantSettings {
    /// What is drawn at random.
    pub random: ImplantConfig,
    /// What is implanted for measuring.
    pub ladder: Ladder,
    /// What is taken for granted where no sidecar tells.
    pub protocol: ProtocolDefaults,
}

impl ImplantSettings {
    /// Of the config file, or the default.
    pub fn of(common: &Common) -> anyhow::Result<Self> {
        let Some(path) = &common.config else { return Ok(Self::default()) };
        match config::read(path)?.remove("implant") {
            Some(table) => table.try_into().map_err(|error| anyhow!("{error}: {}", path.display())),
            None => Ok(Self::default()),
        }
    }
}

pub fn run(arguments: &Implant, common: &Common) -> anyhow::Result<()> {
    let settings = ImplantSettings::of(common)?;
    let implants = if arguments.ladder {
        Implants::Ladder(settings.ladder)
    } else {
        Implants::Random(Box::new(settings.random))
    };
    let mut plan = ImplantPlan {
        implants,
        copies: arguments.copies.into(),
        seed: arguments.seed,
        subjects: arguments.only.participant_label.clone(),
        sessions: arguments.only.session_label.clone(),
        maps_only: arguments.maps,
        reconstruct: arguments.reconstruct,
        labels: arguments.labels.clone(),
        filters: arguments.choice.filters()?,
        recon: recon::without_parts(common)?,
        protocol: settings.protocol,
        ..ImplantPlan::default()
    };
    plan.read.invert_phase = arguments.invert_phase;
    plan.read.non_finite_as_zero = arguments.nan_to_zero;
    let native = match arguments.model.as_str() {
        "none" => None,
        name => Some(native_calls(open_model(name)?, arguments.nan_to_zero, common)?),
    };
    let Summary { made, skipped, sources, failures, .. } =
        implant(&arguments.data, &arguments.output, &plan, native.as_ref(), common)?;
    tracing::info!("{sources} implants in {made} copies; {skipped} copies finished before");
    say!("{}", arguments.output.display());
    if failures.is_empty() {
        return Ok(());
    }
    Err(ExitStatus::SomeFailed(format!("some scans failed\n  {}", failures.join("\n  "))).into())
}

/// What a model calls in scans, at lowered thresholds.
pub fn native_calls(
    model: Bundle,
    nan_to_zero: bool,
    common: &Common,
) -> anyhow::Result<ModelCalls> {
    Ok(ModelCalls::open(model, common.device, ReadOptions { nan_to_zero })?)
}

/// Makes a dataset of implanted scans with a progress bar.
pub fn implant(
    data: &Path,
    folder: &Path,
    plan: &ImplantPlan,
    native: Option<&ModelCalls>,
    common: &Common,
) -> Result<Summary, StudyError> {
    let total = copies_of(data, plan)?;
    let mut shown = Shown { progress: Progress::new("implanting", total as u64, common), done: 0 };
    let native = native.map(|native| native as &dyn NativeCalls);
    let summary = write_dataset(data, folder, plan, native, &mut |event| shown.show(event));
    shown.progress.finish();
    summary
}

/// What is going on, on a progress bar of copies.
struct Shown {
    progress: Progress,
    /// Copies that are done.
    done: u64,
}

impl Shown {
    fn show(&mut self, event: Event<'_>) {
        match event {
            Event::Skipped { copy } => {
                self.done += 1;
                self.progress.log(&format!("{copy} was finished before"));
            }
            Event::Step { scan, step } => {
                self.progress.set(self.done, || format!("{scan}: {step}"));
            }
            Event::Noticed { scan, message } => self.progress.warn(&format!("{scan}: {message}")),
            Event::Finished { copy, sources, seconds } => {
                self.done += 1;
                self.progress.set(self.done, || format!("{copy}: {sources} implants"));
                tracing::debug!("{copy}: {sources} implants, {seconds:.1} s");
            }
            Event::Failed { scan, reason } => {
                self.progress.warn(&format!("{scan} failed: {reason}"));
            }
        }
    }
}
