//! `deepmir phantom`.

use anyhow::anyhow;
use deepmir_phantom::bids::{AnatomySource, DatasetPlan, Event, write_dataset};
use deepmir_phantom::config::Contents;
use deepmir_phantom::{PhantomConfig, Step};

use crate::cli::{Common, Phantom};
use crate::config;
use crate::progress::Progress;

pub fn run(arguments: &Phantom, common: &Common) -> anyhow::Result<()> {
    let anatomy = match &arguments.anatomy {
        Some(path) => AnatomySource::LabelMaps(path.clone()),
        None => AnatomySource::BuiltIn,
    };
    let plan = DatasetPlan {
        config: settings(arguments, common)?,
        anatomy,
        subjects: arguments.subjects.into(),
        sessions: arguments.sessions.into(),
        randomize: arguments.randomize,
        seed: arguments.seed,
    };
    make(&arguments.output, &plan, common)
}

/// Makes a dataset with a progress bar.
pub fn make(folder: &std::path::Path, plan: &DatasetPlan, common: &Common) -> anyhow::Result<()> {
    let steps = Step::ALL.len() as u64;
    let total = steps * (plan.subjects * plan.sessions.max(1)) as u64;
    let mut progress = Progress::new("simulating", total, common);
    let mut done = 0;
    let summary = write_dataset(folder, plan, &mut |event| match event {
        Event::Skipped { scan } => {
            done += steps;
            progress.log(&format!("{scan} was finished before"));
        }
        Event::Step { scan, step } => {
            let place = Step::ALL.iter().position(|other| *other == step).unwrap_or(0) as u64;
            progress.set(done + place, || format!("{scan}: {}", step.describe()));
        }
        Event::Finished { scan, seconds } => {
            done += steps;
            tracing::debug!("{scan}: {seconds:.1} s");
        }
    });
    progress.finish();
    let summary = summary?;
    if summary.skipped > 0 {
        tracing::info!("{} made, {} finished before", summary.made, summary.skipped);
    }
    say!("{}", folder.display());
    Ok(())
}

/// The `[phantom]` table of the config file, changed by the options.
fn settings(arguments: &Phantom, common: &Common) -> anyhow::Result<PhantomConfig> {
    let (mut settings, _) = settings_of(common)?;
    if arguments.raw {
        settings.output.contents = Contents::Both;
    }
    if arguments.whole_head {
        settings.output.skull_strip = false;
    }
    if let Some(tesla) = arguments.field_strength {
        settings.scan.field_strength_t = tesla;
    }
    Ok(settings)
}

/// The `[phantom]` table of the config file, and whether it says what the scanner is.
pub fn settings_of(common: &Common) -> anyhow::Result<(PhantomConfig, bool)> {
    let Some(path) = &common.config else { return Ok((PhantomConfig::default(), false)) };
    let Some(table) = config::read(path)?.remove("phantom") else {
        return Ok((PhantomConfig::default(), false));
    };
    let scanner_given = table.get("scan").is_some();
    let settings = table.try_into().map_err(|error| anyhow!("{error}: {}", path.display()))?;
    Ok((settings, scanner_given))
}
