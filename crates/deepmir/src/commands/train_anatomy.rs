//! `deepmir model train-anatomy`.

mod progress_table;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{anyhow, bail};
use deepmir_anatomy::AnatomyModel;
use deepmir_anatomy::synthesis::Head;
use deepmir_anatomy::train::{self, Heads, TrainingConfig};
use deepmir_cases::bids::write_text;
use deepmir_cases::outputs::check_not_written_over;
use deepmir_kernels::Engine;
use deepmir_phantom::config::PersonConfig;
use deepmir_phantom::list_label_maps;
use deepmir_volume::atomic;
use serde::{Deserialize, Serialize};

use self::progress_table::ProgressTable;
use crate::cli::{Common, TrainAnatomy};
use crate::config;
use crate::progress::Progress;
use crate::status::{ExitStatus, stop_on_signals};

const SETTINGS: &str = "training.toml";
const PROGRESS: &str = "progress.tsv";
const CHECKPOINT: &str = "checkpoint.safetensors";
const WEIGHTS: &str = "anatomy.safetensors";
/// Atrophy of the built-in heads, the first and the last.
const ATROPHY: [f64; 2] = [0.0, 1.3];

/// What a training is of: written as a file that `--config` takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Plan {
    heads: Vec<PathBuf>,
    built_in: u16,
    training: TrainingConfig,
}

pub fn run(arguments: &TrainAnatomy, common: &Common) -> anyhow::Result<()> {
    let folder = arguments.output.as_path();
    let plan = Plan::of(arguments, common)?;
    let given = plan.heads.iter().chain(&common.config).map(PathBuf::as_path);
    let writes = |name: &str| [SETTINGS, PROGRESS, CHECKPOINT, WEIGHTS].contains(&name);
    check_not_written_over(given, folder, &writes)?;
    plan.check_same(folder)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    stop_on_signals(&interrupted)?;
    let Some(heads) = plan.read_heads(common, &interrupted)? else {
        return Err(ExitStatus::Interrupted.into());
    };
    std::fs::create_dir_all(folder)
        .map_err(|error| anyhow!("cannot write ({error}): {}", folder.display()))?;
    write_text(&folder.join(SETTINGS), &toml::to_string(&plan)?)?;

    let steps = plan.training.steps;
    let mut bar: Option<Progress> = None;
    let mut table = ProgressTable::new(folder.join(PROGRESS));
    let mut unwritten = None;
    let engine = Engine::from_environment()?;
    let weights = train::train(&plan.training, &heads, folder, &engine, &mut |report| {
        let bar = bar.get_or_insert_with(|| begin(report.step - 1, steps, common));
        let stopped = interrupted.load(Ordering::Relaxed);
        if let Err(error) = table.add(report, stopped || report.step == steps) {
            unwritten = Some(error);
            return ControlFlow::Break(());
        }
        bar.set(report.step, || table.described());
        if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.iter().for_each(Progress::finish);
    let weights = weights?;
    if let Some(error) = unwritten {
        return Err(error.into());
    }
    let path = folder.join(WEIGHTS);
    atomic::write(&path, &AnatomyModel::new(weights)?.to_safetensors()?)
        .map_err(|error| anyhow!("cannot write ({error}): {}", path.display()))?;
    if interrupted.load(Ordering::Relaxed) {
        return Err(ExitStatus::Interrupted.into());
    }
    say!("{}", path.display());
    Ok(())
}

/// The bar of the steps, from the first one of this run.
fn begin(done: u64, steps: u64, common: &Common) -> Progress {
    let mut bar = Progress::new("steps", steps, common);
    if done > 0 {
        bar.resume_at(done);
        bar.log(&format!("resuming after step {done}"));
    }
    bar
}

impl Plan {
    /// The config file's table, changed by the options; folders of heads are listed.
    fn of(arguments: &TrainAnatomy, common: &Common) -> anyhow::Result<Self> {
        let mut training = TrainingConfig::default();
        if let Some(path) = &common.config
            && let Some(table) = config::read(path)?.remove("training")
        {
            training = table.try_into().map_err(|error| anyhow!("{error}: {}", path.display()))?;
        }
        training.steps = arguments.steps.unwrap_or(training.steps);
        training.validate()?;
        let mut heads = Vec::new();
        for path in &arguments.heads {
            for file in list_label_maps(path)? {
                heads.push(std::path::absolute(file)?);
            }
        }
        if heads.is_empty() && arguments.built_in == 0 {
            bail!("there is no head to train on; give label maps with --heads, or --built-in 16");
        }
        Ok(Self { heads, built_in: arguments.built_in, training })
    }

    /// That a training in the folder is the same, but for the number of steps.
    fn check_same(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(SETTINGS);
        let begun = folder.join(CHECKPOINT).exists();
        if !begun || !path.exists() {
            return Ok(());
        }
        let there: Self = toml::Value::Table(config::read(&path)?)
            .try_into()
            .map_err(|error| anyhow!("{error}; train into another folder: {}", path.display()))?;
        let what = if there.heads != self.heads || there.built_in != self.built_in {
            "heads"
        } else if there.with_steps_of(self) != *self {
            "settings"
        } else {
            return Ok(());
        };
        bail!(
            "the training in this folder was begun with other {what}; give the same, or train into another folder: {}",
            path.display()
        )
    }

    fn with_steps_of(&self, other: &Self) -> Self {
        let mut changed = self.clone();
        changed.training.steps = other.training.steps;
        changed
    }

    /// Reads and makes the heads; `None` if it was interrupted.
    fn read_heads(
        &self,
        common: &Common,
        interrupted: &AtomicBool,
    ) -> anyhow::Result<Option<Heads>> {
        let total = self.heads.len() as u64 + u64::from(self.built_in);
        let mut bar = Progress::new("heads", total, common);
        let mut heads = Heads { measured: Vec::new(), built_in: Vec::new() };
        let mut done = 0;
        for path in &self.heads {
            if interrupted.load(Ordering::Relaxed) {
                bar.finish();
                return Ok(None);
            }
            heads.measured.push(Head::read(path)?);
            done += 1;
            bar.set(done, String::new);
        }
        for n in 0..self.built_in {
            if interrupted.load(Ordering::Relaxed) {
                bar.finish();
                return Ok(None);
            }
            heads.built_in.push(built_in(n, self.built_in, self.training.seed)?);
            done += 1;
            bar.set(done, String::new);
        }
        bar.finish();
        Ok(Some(heads))
    }
}

/// Head `n` of `count`, each more atrophic than the one before.
fn built_in(n: u16, count: u16, seed: u64) -> anyhow::Result<Head> {
    let [first, last] = ATROPHY;
    let part = f64::from(n) / f64::from(count.max(2) - 1);
    let atrophy = first + part * (last - first);
    let seed = seed.wrapping_add(u64::from(n));
    let head = deepmir_phantom::Head::built_in(atrophy, &PersonConfig::default(), seed)?;
    Ok(Head::from_labels(&head.label_map())?)
}
