//! Chooses a model's thresholds and second look anew on the subjects of its cross-validation, each as
//! predicted by the networks that did not learn from it: for models that were trained before the way of
//! choosing changed, and for models of networks from several trainings.
//!
//! ```sh
//! cargo run --release -p deepmir-study --example choose_thresholds -- \
//!     FOLDS[,FOLDS…] COHORT MODEL[,MODEL…] OUT [--beta BETA] [--also DATA…] [--unseen DATA…]
//! ```
//!
//! `FOLDS` are models of `deepmir train COHORT --folds K` with the preset's seed, their networks in order, or
//! folders with the `fold-1`, `fold-2`, … of `--fold`, whose trainings may have had different companions;
//! with several, a subject that all of them know is judged by the networks of all that did not learn from
//! it. `MODEL` are those whose networks count together in `OUT`, a folder: of `--refit`, or `FOLDS`
//! themselves. `BETA` says how many times as much a missed lesion weighs as a false one (the preset's 1.5). What follows
//! `--also` was not learned from by the network of the fold that it is dealt to by turns, what follows `--unseen` by none of
//! `MODEL`, which judge it together, as they will anything new.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the answer, and how far it is")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deepmir_cases::CaseFiles;
use deepmir_cases::Cohort;
use deepmir_cases::folds::folds;
use deepmir_model::Bundle;
use deepmir_model::bundle::{ModelSettings, Provenance};
use deepmir_net::train::{Choosing, join_folds};
use deepmir_net::{DeviceChoice, Weights, preset};
use deepmir_volume::nifti::ReadOptions;

/// Networks, and the subjects that none of them learned from.
type Group = (Vec<Weights>, Vec<CaseFiles>);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = ["--also", "--unseen"];
    let first = arguments.iter().position(|argument| options.contains(&argument.as_str()));
    let (own, data) = arguments.split_at(first.unwrap_or(arguments.len()));
    let mut training = preset::deepmir().training;
    let (folds_models, cohort, models, out) = match own {
        [folds, cohort, models, out] => (folds, cohort, models, out),
        [folds, cohort, models, out, option, beta] if option == "--beta" => {
            training.threshold_beta = beta.parse()?;
            (folds, cohort, models, out)
        }
        _ => {
            return Err("give FOLDS[,FOLDS…] COHORT MODEL[,MODEL…] OUT [--beta BETA] \
                        [--also DATA…] [--unseen DATA…]"
                .into());
        }
    };
    let (mut also, mut unseen) = (Vec::new(), Vec::new());
    let mut to = &mut also;
    for argument in data {
        match argument.as_str() {
            "--also" => to = &mut also,
            "--unseen" => to = &mut unseen,
            path => to.push(PathBuf::from(path)),
        }
    }
    let read = |names: &str| -> Result<Vec<Bundle>, deepmir_net::NetError> {
        names.split(',').map(|name| model_or_folds(Path::new(name))).collect()
    };
    let (cross_validated, mut together) = (read(folds_models)?, read(models)?);
    let cohort = Cohort::read(Path::new(cohort), None)?;

    let mut groups: Vec<Group> = vec![(Vec::new(), cohort.cases.clone())];
    for model in &cross_validated {
        let known = cohort.clone().only(&model.settings.provenance.validation_subjects)?;
        let splits = folds(&known, model.members.len(), training.seed)?;
        let parted = groups.iter().flat_map(|(networks, cases)| {
            splits.iter().zip(&model.members).map(move |(split, weights)| {
                let held_out = |case: &&CaseFiles| split.held_out.contains(case);
                let cases = cases.iter().filter(held_out).cloned().collect();
                ([networks.as_slice(), std::slice::from_ref(weights)].concat(), cases)
            })
        });
        groups = parted.collect();
    }
    let count = groups.len();
    for (n, case) in cohort.companions(&also)?.into_iter().enumerate() {
        groups[n % count].1.push(case);
    }
    let members: Vec<Weights> =
        together.iter().flat_map(|model| model.members.iter().cloned()).collect();
    if !unseen.is_empty() {
        groups.push((members.clone(), cohort.companions(&unseen)?));
    }
    let settings = ModelSettings { patch_classifier: None, ..cross_validated[0].settings.clone() };
    let single = |(networks, _): &Group| Bundle::new(settings.clone(), networks.clone());
    let singles = groups.iter().map(single).collect::<Result<Vec<_>, _>>()?;
    let held_out: Vec<Vec<CaseFiles>> = groups.into_iter().map(|(_, cases)| cases).collect();
    let (device, read) = (DeviceChoice::Cpu, ReadOptions::default());
    let scans: usize = held_out.iter().map(Vec::len).sum();
    let mut progress = |event| match event {
        Choosing::Subjects(done) => eprintln!("{done} of {scans} scans"),
        Choosing::PatchClassifier { step, of } if step % 100 == 0 => {
            eprintln!("{step} of {of} steps of the closer look");
        }
        Choosing::PatchClassifier { .. } => {}
    };
    let joined = join_folds(&singles, &held_out, None, &training, device, &read, &mut progress)?;
    let f1 = joined.settings.provenance.validation_f1;
    println!("{:#?}\nmean lesion F1 {f1:.3}", joined.settings.detection);

    let mut data: Vec<String> = Vec::new();
    let mut learned_from: BTreeSet<String> = BTreeSet::new();
    for model in &together {
        let Provenance { data: of_one, training_subjects, .. } = &model.settings.provenance;
        if !data.contains(of_one) {
            data.push(of_one.clone());
        }
        learned_from.extend(training_subjects.iter().cloned());
    }
    let first = together.swap_remove(0).settings;
    let provenance = Provenance {
        data: data.join("; "),
        training_subjects: learned_from.into_iter().collect(),
        validation_subjects: joined.settings.provenance.validation_subjects,
        validation_f1: f1,
        ..first.provenance
    };
    let ModelSettings { detection, patch_classifier, .. } = joined.settings;
    let settings = ModelSettings { detection, patch_classifier, provenance, ..first };
    Bundle::with_patch_classifier(settings, members, joined.closer)?.write(Path::new(out))?;
    Ok(())
}

/// A model, or the models of single folds side by side.
fn model_or_folds(path: &Path) -> Result<Bundle, deepmir_net::NetError> {
    let model_of = |fold: usize| path.join(format!("fold-{fold}")).join("model");
    let folds: Vec<Bundle> = (1..)
        .map(model_of)
        .take_while(|model| model.is_dir())
        .map(|model| Bundle::read(&model))
        .collect::<Result<_, _>>()?;
    let Some(first) = folds.first() else { return Bundle::read(path) };
    let all = |names: fn(&Provenance) -> &Vec<String>| -> Vec<String> {
        let names = folds.iter().flat_map(|fold| names(&fold.settings.provenance));
        names.cloned().collect::<BTreeSet<_>>().into_iter().collect()
    };
    let provenance = Provenance {
        training_subjects: all(|provenance| &provenance.training_subjects),
        validation_subjects: all(|provenance| &provenance.validation_subjects),
        ..first.settings.provenance.clone()
    };
    let settings = ModelSettings { provenance, patch_classifier: None, ..first.settings.clone() };
    Bundle::new(settings, folds.iter().flat_map(|fold| fold.members.iter().cloned()).collect())
}
