//! `deepmir predict`.

use std::collections::BTreeMap;
use std::time::Instant;

use deepmir_cases::cohort::single_case;
use deepmir_cases::{CaseError, CaseFiles, Contrast, Modality};
use deepmir_model::shipped;
use deepmir_pipeline::owner::{refuse_other_maps, refuse_other_results};
use deepmir_pipeline::predict::{Predictor, counts};
use deepmir_pipeline::recon::{ReconInput, ReconSettings};
use deepmir_pipeline::scan::{EchoSource, ScanSource};

use super::{NOT_A_DEVICE, open_model, scan};
use crate::cli::{Common, Predict};
use crate::status::print;
use crate::terminal::{has_colours, lesion_table};

pub fn run(arguments: &Predict, common: &Common) -> anyhow::Result<()> {
    if !arguments.dicom.is_empty() {
        return super::predict_dicom::run(arguments, common);
    }
    let started = Instant::now();
    let from_echoes = arguments.raw.is_given();
    let source = if from_echoes { echoes(arguments)? } else { maps(arguments)? };
    if !arguments.overwrite {
        match &source {
            ScanSource::Maps(files) => refuse_other_results(files, &arguments.output)?,
            ScanSource::Echoes(source) => {
                refuse_other_maps(&source.input.files, &source.id, &arguments.output)?;
            }
        }
    }
    let of_magnitudes = arguments.t2star.is_some() && arguments.model == "default";
    let name = if of_magnitudes { shipped::OF_MAGNITUDES } else { &arguments.model };
    let bundle = open_model(name)?;
    tracing::debug!("model {} ({})", bundle.settings.name, bundle.id());
    if from_echoes && arguments.t2w.is_none() && bundle.settings.plan.needs(Modality::T2w) {
        // Checked before the reconstruction, not after.
        let id = arguments.raw.stem();
        return Err(CaseError::MissingModality { id, modality: Modality::T2w }.into());
    }
    let mut predictor = Predictor::new(bundle, common.device)?;
    predictor.detector.options.flips = arguments.flips;
    predictor.detector.read.nan_to_zero = arguments.nan_to_zero;
    predictor.strict = arguments.strict;
    predictor.viewer_files = arguments.viewer_files;
    let processed = scan::run(source, &mut predictor, &arguments.output, common)?;

    let settings = &predictor.bundle().settings;
    for modality in &settings.plan.optional {
        if !processed.files.images.contains_key(modality) {
            tracing::warn!("{} runs without {modality} and finds fewer lesions", settings.name);
        }
    }
    let found = counts(&processed.prediction.rows).map(|(class, count)| format!("{count} {class}"));
    say!("{}: {}", processed.files.id, found.join(", "));
    if !common.quiet {
        let prediction = &processed.prediction;
        let probabilities = predictor.lesion_probabilities(prediction).unwrap_or_default();
        let table = lesion_table(&prediction.rows, &probabilities, has_colours());
        print(table.as_bytes());
    }
    let written = &processed.written;
    for path in [&written.labels, &written.table, &written.mosaic] {
        say!("  {}", path.display());
    }
    tracing::info!("{:.1} s. {NOT_A_DEVICE}", started.elapsed().as_secs_f64());
    say!("page: {}", written.report.display());
    Ok(())
}

fn maps(arguments: &Predict) -> anyhow::Result<ScanSource> {
    if arguments.raw.r2.is_some() || arguments.raw.r2_share.is_some() {
        anyhow::bail!(
            "--r2 and --r2-share separate what is made of raw echoes: give --mag and --phase"
        );
    }
    let magnitude = arguments.t2star.is_some();
    let named = [
        (Modality::Swi, if magnitude { &arguments.t2star } else { &arguments.swi }),
        (Modality::Qsm, &arguments.qsm),
        (Modality::T2w, &arguments.t2w),
    ];
    let images: BTreeMap<_, _> =
        named.into_iter().filter_map(|(modality, path)| Some((modality, path.clone()?))).collect();
    let files = single_case(images, arguments.mask.clone())?;
    let contrast = magnitude.then_some(Contrast::T2StarMagnitude);
    Ok(ScanSource::Maps(CaseFiles { contrast, ..files }))
}

/// SWI and QSM are reconstructed from them, into the folder of the results.
fn echoes(arguments: &Predict) -> anyhow::Result<ScanSource> {
    if arguments.swi.is_some() || arguments.t2star.is_some() || arguments.qsm.is_some() {
        anyhow::bail!("give --swi and --qsm, or raw echoes to make them from, not both");
    }
    let input = ReconInput {
        files: arguments.raw.files()?,
        read: arguments.raw.read_options(arguments.nan_to_zero),
        mask: arguments.mask.clone(),
        t2w: arguments.t2w.clone(),
        r2: arguments.raw.r2.clone(),
        strict: arguments.strict,
    };
    let (id, mut settings) = (arguments.raw.stem(), ReconSettings::default());
    arguments.raw.separate(&mut settings);
    Ok(ScanSource::Echoes(Box::new(EchoSource { input, settings, id })))
}
