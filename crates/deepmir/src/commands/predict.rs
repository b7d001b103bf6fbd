//! `deepmir predict`.

use std::collections::BTreeMap;
use std::time::Instant;

use deepmir_net::Modality;
use deepmir_study::cohort::single_case;
use deepmir_study::predict::{Predictor, counts};

use super::{NOT_A_DEVICE, open_model};
use crate::cli::{Common, Predict};
use crate::progress::Progress;

#[expect(clippy::print_stdout, reason = "the result")]
pub fn run(arguments: &Predict, common: &Common) -> anyhow::Result<()> {
    let started = Instant::now();
    let named = [
        (Modality::Swi, &arguments.swi),
        (Modality::Qsm, &arguments.qsm),
        (Modality::T2w, &arguments.t2w),
    ];
    let images: BTreeMap<_, _> =
        named.into_iter().filter_map(|(modality, path)| Some((modality, path.clone()?))).collect();
    let files = single_case(images, arguments.mask.clone())?;
    let bundle = open_model(&arguments.model)?;
    tracing::debug!("model {} ({})", bundle.settings.name, bundle.id());

    let mut predictor = Predictor::new(bundle, common.device)?;
    predictor.options.flips = arguments.flips;
    predictor.read.nan_to_zero = arguments.nan_to_zero;
    let mut progress: Option<Progress> = None;
    let prediction = predictor.predict(&files, &mut |done, total| {
        let bar = progress.get_or_insert_with(|| Progress::new("slices", total as u64, common));
        bar.set(done as u64, String::new);
    })?;
    if let Some(progress) = &progress {
        progress.finish();
    }
    let written = predictor.write(&prediction, &files, &arguments.output)?;

    let found =
        counts(&prediction.rows).map(|(class, count)| format!("{count} {class}")).join(", ");
    println!("{}: {found}", files.id);
    for path in [&written.labels, &written.table, &written.mosaic, &written.report] {
        println!("  {}", path.display());
    }
    tracing::info!("{:.1} s. {NOT_A_DEVICE}", started.elapsed().as_secs_f64());
    Ok(())
}
