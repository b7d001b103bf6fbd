//! `deepmir predict`.

use std::collections::BTreeMap;
use std::time::Instant;

use deepmir_net::{CaseFiles, Modality, NetError};
use deepmir_study::cohort::single_case;
use deepmir_study::predict::{Predictor, counts};
use deepmir_study::recon::{ReconInput, ReconSettings};

use super::recon::reconstruct;
use super::{NOT_A_DEVICE, open_model};
use crate::cli::{Common, Predict};
use crate::progress::Progress;

pub fn run(arguments: &Predict, common: &Common) -> anyhow::Result<()> {
    let started = Instant::now();
    if arguments.raw.is_given() {
        return from_raw(arguments, common);
    }
    let named = [
        (Modality::Swi, &arguments.swi),
        (Modality::Qsm, &arguments.qsm),
        (Modality::T2w, &arguments.t2w),
    ];
    let images: BTreeMap<_, _> =
        named.into_iter().filter_map(|(modality, path)| Some((modality, path.clone()?))).collect();
    let files = single_case(images, arguments.mask.clone())?;
    predict(&files, arguments, common)?;
    tracing::info!("{:.1} s. {NOT_A_DEVICE}", started.elapsed().as_secs_f64());
    Ok(())
}

/// Reconstructs SWI and QSM first, into the folder of the results.
fn from_raw(arguments: &Predict, common: &Common) -> anyhow::Result<()> {
    let started = Instant::now();
    if arguments.swi.is_some() || arguments.qsm.is_some() {
        anyhow::bail!("give --swi and --qsm, or raw echoes to make them from, not both");
    }
    // Checked before the reconstruction, not after.
    let model = open_model(&arguments.model)?.settings;
    if arguments.t2w.is_none() && model.plan.needs(Modality::T2w) {
        let id = arguments.raw.stem();
        return Err(NetError::MissingModality { id, modality: Modality::T2w }.into());
    }
    let input = ReconInput {
        files: arguments.raw.files()?,
        read: arguments.raw.read_options(arguments.nan_to_zero),
        mask: arguments.mask.clone(),
        t2w: arguments.t2w.clone(),
    };
    let stem = arguments.raw.stem();
    let settings = ReconSettings::default();
    let made = reconstruct(&input, &settings, &arguments.output, &stem, common)?;
    let files = single_case(made.images().collect(), Some(made.mask.clone()))?;
    predict(&files, arguments, common)?;
    tracing::info!("{:.1} s. {NOT_A_DEVICE}", started.elapsed().as_secs_f64());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the result")]
fn predict(files: &CaseFiles, arguments: &Predict, common: &Common) -> anyhow::Result<()> {
    let bundle = open_model(&arguments.model)?;
    tracing::debug!("model {} ({})", bundle.settings.name, bundle.id());

    let mut predictor = Predictor::new(bundle, common.device)?;
    predictor.options.flips = arguments.flips;
    predictor.read.nan_to_zero = arguments.nan_to_zero;
    let mut progress: Option<Progress> = None;
    let prediction = predictor.predict(files, &mut |done, total| {
        let bar = progress.get_or_insert_with(|| Progress::new("slices", total as u64, common));
        bar.set(done as u64, String::new);
    })?;
    if let Some(progress) = &progress {
        progress.finish();
    }
    let settings = &predictor.bundle().settings;
    for modality in &settings.plan.optional {
        if !files.images.contains_key(modality) {
            tracing::warn!("{} runs without {modality} and finds fewer lesions", settings.name);
        }
    }
    let written = predictor.write(&prediction, files, &arguments.output)?;

    let found =
        counts(&prediction.rows).map(|(class, count)| format!("{count} {class}")).join(", ");
    println!("{}: {found}", files.id);
    for path in [&written.labels, &written.table, &written.mosaic, &written.report] {
        println!("  {}", path.display());
    }
    Ok(())
}
