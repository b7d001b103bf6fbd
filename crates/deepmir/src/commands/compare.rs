//! `deepmir compare`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use deepmir_cases::cohort::single_case;
use deepmir_cases::{CaseFiles, Contrast, Modality};
use deepmir_lesion::{Change, LesionClass};
use deepmir_model::shipped;
use deepmir_pipeline::owner::images_of_results;
use deepmir_pipeline::predict::Predictor;
use deepmir_pipeline::visits::{AriaSheet, Comparison, Day, Event, Verdict};

use super::{NOT_A_DEVICE, open_model};
use crate::cli::{Common, Compare};
use crate::progress::Progress;

pub fn run(arguments: &Compare, common: &Common) -> anyhow::Result<()> {
    let started = Instant::now();
    let Compare { baseline, followup, .. } = arguments;
    let files = [
        visit(
            "baseline",
            baseline,
            [&arguments.baseline_qsm, &arguments.baseline_t2w],
            &arguments.baseline_mask,
            arguments.t2star,
        )?,
        visit(
            "followup",
            followup,
            [&arguments.followup_qsm, &arguments.followup_t2w],
            &arguments.followup_mask,
            arguments.t2star,
        )?,
    ];
    let stated = [&arguments.baseline_date, &arguments.followup_date];
    let days = [0, 1].map(|n| match stated[n] {
        Some(text) => Day::parse(text).map(Some),
        None => Ok(files[n].images.values().next().and_then(|image| Day::of_image(image))),
    });
    let [before, after] = days;
    let days = [before?, after?];
    let of_magnitudes = arguments.t2star && arguments.model == "default";
    let bundle = open_model(if of_magnitudes { shipped::OF_MAGNITUDES } else { &arguments.model })?;
    let mut predictor = Predictor::new(bundle, common.device)?;
    predictor.detector.read.nan_to_zero = arguments.nan_to_zero;
    predictor.strict = arguments.strict;
    let mut bar: Option<(usize, Progress)> = None;
    let compared = predictor.compare(files, days, &mut |event| match event {
        Event::Slices { visit, done, total } => {
            if bar.as_ref().is_none_or(|(of, _)| *of != visit) {
                bar.iter().for_each(|(_, bar)| bar.finish());
                let what = ["baseline", "follow-up"][visit];
                bar = Some((visit, Progress::new(what, total as u64, common)));
            }
            bar.iter_mut().for_each(|(_, bar)| bar.set(done as u64, String::new));
        }
        Event::Registering | Event::Reading => {
            bar.iter().for_each(|(_, bar)| bar.finish());
            let what = if event == Event::Registering { "registering" } else { "reading both" };
            tracing::info!("{what}");
        }
    });
    bar.iter().for_each(|(_, bar)| bar.finish());
    let compared = compared?;
    for visit in &compared.visits {
        super::warn_of(&visit.prediction.quality.warnings);
    }
    let verdict = &compared.comparability;
    if arguments.strict && verdict.verdict == Verdict::NotComparable {
        anyhow::bail!("the scans are not comparable: {}", verdict.reasons.join("; "));
    }
    let written = predictor.write_comparison(&compared, &arguments.output)?;
    tell(&compared);
    for path in [&written.table, &written.report] {
        say!("  {}", path.display());
    }
    tracing::info!("{:.1} s. {NOT_A_DEVICE}", started.elapsed().as_secs_f64());
    Ok(())
}

/// A visit's images: given one by one, or those that results were made from.
fn visit(
    which: &str,
    given: &PathBuf,
    [qsm, t2w]: [&Option<PathBuf>; 2],
    mask: &Option<PathBuf>,
    t2star: bool,
) -> anyhow::Result<CaseFiles> {
    let contrast = t2star.then_some(Contrast::T2StarMagnitude);
    if given.is_dir() {
        if qsm.is_some() || t2w.is_some() || mask.is_some() {
            anyhow::bail!(
                "--{which} is a folder of results, which name their images: leave out --{which}-qsm, --{which}-t2w and \
                 --{which}-mask"
            );
        }
        let files = images_of_results(given)?;
        return Ok(CaseFiles { contrast: contrast.or(files.contrast), ..files });
    }
    let named = [
        (Modality::Swi, Some(given)),
        (Modality::Qsm, qsm.as_ref()),
        (Modality::T2w, t2w.as_ref()),
    ];
    let images: BTreeMap<_, _> =
        named.into_iter().filter_map(|(modality, path)| Some((modality, path?.clone()))).collect();
    Ok(CaseFiles { contrast, ..single_case(images, mask.clone())? })
}

fn tell(compared: &Comparison) {
    let verdict = &compared.comparability;
    say!("{}", verdict.verdict.in_words());
    verdict.reasons.iter().for_each(|reason| say!("  {reason}"));
    for class in LesionClass::ALL {
        let counts = Change::ALL
            .map(|change| format!("{} {}", compared.count(class, change), change.name()));
        say!("{class}: {}", counts.join(", "));
    }
    let new = compared.new_count(LesionClass::Cmb);
    let sheet = AriaSheet::of(compared);
    say!(
        "new microbleeds: {} ({} to {} with 90 % confidence), severity by their number {}",
        sheet.new_microhaemorrhages,
        new.low,
        new.high,
        sheet.microhaemorrhage_severity.name()
    );
}
