//! `deepmir anatomy`.

mod colours;
mod conclude;
mod files;
mod sidecar;
mod tables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use deepmir_anatomy::AnatomyModel;
use deepmir_cases::outputs::check_not_written_over;
use deepmir_cases::sha256;
use deepmir_kernels::Engine;
use deepmir_pipeline::owner::refuse_other_source;
use deepmir_volume::nifti::{self, HeaderNotes, ReadOptions};

use self::conclude::{Done, conclude};
use self::files::Files;
use self::sidecar::Source;
use super::NOT_A_DEVICE;
use crate::cli::{Anatomy, Common};
use crate::progress::Progress;
use crate::status::{ExitStatus, with_causes};

pub fn run(arguments: &Anatomy, common: &Common) -> anyhow::Result<()> {
    let started = Instant::now();
    check_places(arguments, common)?;
    let parcellator = Parcellator::new(arguments)?;
    let count = arguments.images.len();
    if let [image] = &arguments.images[..] {
        let done = parcellator.one(image)?;
        super::warn_of(&done.warnings);
        tell(&done);
        tracing::info!("{:.1} s. {NOT_A_DEVICE}", started.elapsed().as_secs_f64());
        return Ok(());
    }
    let mut progress = Progress::new("images", count as u64, common);
    let mut failures = Vec::new();
    for (n, image) in arguments.images.iter().enumerate() {
        match parcellator.one(image) {
            Ok(done) => {
                done.warnings.iter().for_each(|warning| progress.warn(&warning.message));
                progress.aside(|| tell(&done));
            }
            Err(error) => {
                let error = with_causes(&error);
                progress.warn(&format!("failed: {error}"));
                failures.push(error);
            }
        }
        progress.set(n as u64 + 1, || nifti::stem(image));
    }
    progress.finish();
    tracing::info!("{:.1} s. {NOT_A_DEVICE}", started.elapsed().as_secs_f64());
    let listed = failures.join("\n  ");
    match failures.len() {
        0 => Ok(()),
        failed if failed == count => bail!("all images failed\n  {listed}"),
        _ => Err(ExitStatus::SomeFailed(format!("some images failed\n  {listed}")).into()),
    }
}

fn tell(done: &Done) {
    let Done { files, brain_ml, intracranial_ml, .. } = done;
    say!("{}: brain {brain_ml:.0} ml, intracranial volume {intracranial_ml:.0} ml", files.stem);
    for path in [&files.labels, &files.brain, &files.volumes, &files.picture] {
        say!("  {}", path.display());
    }
}

/// That no two images have the same results, and that no result is written over what was given.
fn check_places(arguments: &Anatomy, common: &Common) -> anyhow::Result<()> {
    let mut stems: BTreeMap<String, &Path> = BTreeMap::new();
    for image in &arguments.images {
        let stem = nifti::stem(image);
        if let Some(other) = stems.insert(stem.clone(), image) {
            bail!(
                "two images are called {stem}, and so would their results be; give them one by one, with a folder for \
                 each: {}, {}",
                other.display(),
                image.display()
            );
        }
    }
    let writes = |name: &str| stems.keys().any(|stem| Files::writes(stem, name));
    let given = arguments.images.iter().chain(&arguments.weights).chain(&common.config);
    Ok(check_not_written_over(given.map(PathBuf::as_path), &arguments.output, &writes)?)
}

/// A network and what to do with images.
struct Parcellator<'a> {
    arguments: &'a Anatomy,
    model: AnatomyModel,
    /// The file of the weights, where they are not the program's.
    weights: Option<Source>,
    engine: Engine,
}

impl<'a> Parcellator<'a> {
    fn new(arguments: &'a Anatomy) -> anyhow::Result<Self> {
        let engine = Engine::from_environment()?;
        let Some(path) = &arguments.weights else {
            let model = AnatomyModel::shipped()?;
            return Ok(Self { arguments, model, weights: None, engine });
        };
        let bytes = std::fs::read(path)
            .map_err(|error| anyhow!("cannot read ({error}): {}", path.display()))?;
        let model = AnatomyModel::from_safetensors(&bytes).map_err(|error| {
            anyhow!(
                "not weights of an anatomy network ({error}); give a file that deepmir model train-anatomy wrote: {}",
                path.display()
            )
        })?;
        let weights = Some(Source { path: path.clone(), sha256: sha256(path)? });
        Ok(Self { arguments, model, weights, engine })
    }

    /// Reads an image, parcellates it and writes what was found. Errors name the image.
    fn one(&self, path: &Path) -> anyhow::Result<Done> {
        let Anatomy { output, nan_to_zero, overwrite, .. } = self.arguments;
        let image = nifti::read_with(path, &ReadOptions { nan_to_zero: *nan_to_zero })?;
        if !overwrite {
            let files = Files::new(output, &nifti::stem(path));
            refuse_other_source(path, &files.sidecar, files.results())?;
        }
        let mut notes = HeaderNotes::default();
        notes.add(path, &image.header);
        let found = self
            .model
            .parcellate(&self.engine, &image.volume)
            .with_context(|| format!("cannot parcellate {}", path.display()))?;
        let weights = self.weights.as_ref();
        conclude(self.arguments, weights, path, &image, &found, notes.warnings())
    }
}
