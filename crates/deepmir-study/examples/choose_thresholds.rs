//! Chooses a model's thresholds and second look anew on the subjects of its cross-validation, each as
//! predicted by the network that did not learn from it: for models that were trained before the way of
//! choosing changed.
//!
//! ```sh
//! cargo run --release -p deepmir-study --example choose_thresholds -- \
//!     FOLDS COHORT MODEL OUT [HELD_OUT…] [--also DATA…]
//! ```
//!
//! `FOLDS` is a model of `deepmir train COHORT --folds K` with the preset's seed, its networks in order;
//! `MODEL` the one to be given the thresholds (that of `--refit`, or `FOLDS` itself); `OUT` a folder for it.
//! What follows `--also` was learned from by no network, and is shared out among them.

#![expect(clippy::print_stdout, reason = "the answer")]

use std::path::{Path, PathBuf};

use deepmir_net::bundle::ModelSettings;
use deepmir_net::train::join_folds;
use deepmir_net::{Bundle, CaseFiles, DeviceChoice, preset};
use deepmir_study::Cohort;
use deepmir_study::folds::folds;
use deepmir_volume::nifti::ReadOptions;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut parts = arguments.split(|argument| argument == "--also");
    let [folds_model, cohort, model, out, held_out @ ..] = parts.next().unwrap_or_default() else {
        return Err("give FOLDS COHORT MODEL OUT [HELD_OUT…] [--also DATA…]".into());
    };
    let also: Vec<PathBuf> = parts.flatten().map(PathBuf::from).collect();
    let together = Bundle::read(Path::new(folds_model))?;
    let cohort = Cohort::read(Path::new(cohort), None)?.without(held_out)?;
    let training = preset::deepmir().training;
    let splits = folds(&cohort, together.members.len(), training.seed)?;
    let mut held_out: Vec<Vec<CaseFiles>> =
        splits.into_iter().map(|split| split.held_out).collect();
    let count = held_out.len();
    for (n, case) in cohort.companions(&also)?.into_iter().enumerate() {
        held_out[n % count].push(case);
    }
    let single = |weights: &deepmir_net::Weights| {
        Bundle::new(together.settings.clone(), vec![weights.clone()])
    };
    let models = together.members.iter().map(single).collect::<Result<Vec<_>, _>>()?;
    let (device, read) = (DeviceChoice::Cpu, ReadOptions::default());
    let joined = join_folds(&models, &held_out, &training, device, &read, &mut |_| {})?;
    let f1 = joined.settings.provenance.validation_f1;
    println!("{:#?}\nmean lesion F1 {f1:.3}", joined.settings.detection);

    let mut chosen = Bundle::read(Path::new(model))?;
    chosen.settings =
        ModelSettings { detection: joined.settings.detection, ..chosen.settings.clone() };
    chosen.settings.provenance.validation_f1 = f1;
    chosen.write(Path::new(out))?;
    Ok(())
}
