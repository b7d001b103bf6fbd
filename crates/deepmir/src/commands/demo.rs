//! `deepmir demo`: the whole chain on a simulated head.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, anyhow};
use deepmir_cases::Modality;
use deepmir_cases::bids::{self, Filters};
use deepmir_lesion::LabelMap;
use deepmir_phantom::PhantomConfig;
use deepmir_phantom::bids::{AnatomySource, DatasetPlan};
use deepmir_phantom::config::Contents;
use deepmir_pipeline::predict::{Predictor, counts};
use deepmir_pipeline::recon::{ReconInput, ReconSettings};
use deepmir_pipeline::scan::{EchoSource, Processed, ScanSource};
use deepmir_report::TextTable;
use deepmir_study::evaluate::{Evaluation, EvaluationOptions, evaluate, pairs};
use deepmir_volume::atomic;

use super::{NOT_A_DEVICE, open_model, phantom};
use crate::cli::{Common, Demo};

/// Enough lesions and mimics to see how each is handled.
const MICROBLEEDS: [u32; 2] = [6, 6];
const IRON_DEPOSITS: [u32; 2] = [2, 2];
const CALCIFICATIONS: [u32; 2] = [4, 4];

pub fn run(arguments: &Demo, common: &Common) -> anyhow::Result<()> {
    let started = Instant::now();
    let dataset = arguments.output.join("phantom");
    let results = arguments.output.join("results");
    phantom::make(&dataset, &plan(arguments.seed), common)?;

    let scan = bids::scans_of("sub-01", &dataset.join("sub-01"), &Filters::default())?;
    let mut scan = scan.into_iter().next().context("the simulated dataset has no scan")?;
    let echoes = scan.echoes.map_err(|reason| anyhow!("{reason}"))?;
    let input = ReconInput {
        files: deepmir_recon::input::ScanFiles { echoes, ..Default::default() },
        t2w: scan.images.remove(&Modality::T2w),
        ..ReconInput::default()
    };
    let source = EchoSource { input, settings: ReconSettings::default(), id: scan.id };
    let mut predictor = Predictor::new(open_model(&arguments.model)?, common.device)?;
    let source = ScanSource::Echoes(Box::new(source));
    let Processed { files, prediction, written } =
        super::scan::run(source, &mut predictor, &results, common)?;

    let truth_folder = dataset.join("derivatives/truth");
    let evaluation =
        evaluate(&pairs(&truth_folder, &results)?, &EvaluationOptions::default(), &|_| {})?;
    evaluation.write(&results)?;
    let truths = bids::label_maps(&truth_folder)?;
    let truth = match truths.values().next() {
        Some(path) => Some(LabelMap::read(path)?.0),
        None => None,
    };
    let mut report = predictor.report(&prediction, &files)?;
    report.truth = truth.as_ref();
    report.tables = vec![table(&evaluation)];
    report.methods.push_str(
        " The scan is simulated: a digital head with known lesions, whose echoes were reconstructed like \
         those of a scanner.",
    );
    write(&written.report, &report.html()?)?;

    let found = counts(&prediction.rows).map(|(class, count)| format!("{count} {class}"));
    say!("found: {}", found.join(", "));
    for class in &evaluation.classes {
        say!(
            "{}: {} of {} true lesions found, {} false",
            class.class,
            class.matched,
            class.truth,
            class.predicted - class.matched
        );
    }
    tracing::info!("{:.0} s. {NOT_A_DEVICE}", started.elapsed().as_secs_f64());
    say!("page: {}", written.report.display());
    Ok(())
}

fn plan(seed: u64) -> DatasetPlan {
    let mut config = PhantomConfig::default();
    config.lesions.lesion_free_probability = 0.0;
    config.lesions.microbleeds.count = MICROBLEEDS;
    config.lesions.iron_deposits.count = IRON_DEPOSITS;
    config.lesions.calcifications.count = CALCIFICATIONS;
    config.output.contents = Contents::Raw;
    config.output.true_maps = false;
    DatasetPlan {
        config,
        anatomy: AnatomySource::BuiltIn,
        subjects: 1,
        sessions: 1,
        randomize: false,
        seed,
    }
}

fn table(evaluation: &Evaluation) -> TextTable {
    let header = ["class", "true", "found", "missed", "false"].map(str::to_owned).to_vec();
    let rows = evaluation.classes.iter().map(|class| {
        vec![
            class.class.to_string(),
            class.truth.to_string(),
            class.matched.to_string(),
            (class.truth - class.matched).to_string(),
            (class.predicted - class.matched).to_string(),
        ]
    });
    TextTable {
        title: "Against the truth of the simulated head".to_owned(),
        header,
        rows: rows.collect(),
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    atomic::write(path, text.as_bytes())
        .with_context(|| format!("cannot write: {}", path.display()))
}
