//! Chooses the thresholds and fits the candidate classifier of a model anew on out-of-fold predictions: for models from
//! before the choice changed, and for ensembles of networks from several trainings.
//!
//! ```sh
//! cargo run --release -p deepmir-model --example choose_thresholds -- \
//!     FOLDS[,FOLDS…] COHORT MODEL[,MODEL…] OUT [--beta BETA] [--init-from MODEL] [--patch-steps N] \
//!     [--extra-validation DATA…] [--unseen DATA…]
//! ```
//!
//! - `FOLDS` are models of `deepmir train COHORT --folds K` with the preset's seed, their networks in order, or folders
//!   with the `fold-1`, `fold-2`, … of `--fold`, whose trainings may have had different extra training data. With
//!   several, a subject that all of them know is predicted by the networks of all that did not learn from it.
//! - `MODEL` are the models whose networks form the ensemble of `OUT`, a folder: of `--retrain-on-all`, or `FOLDS`
//!   themselves.
//! - `BETA` is the weight of a missed lesion relative to a false positive (the preset's is 1.5).
//! - `--init-from` is a model whose patch classifier is trained on and whose candidate threshold is kept, and `N` are the steps of each of its networks.
//! - `--extra-validation`: datasets that no network of a fold learned from; their scans are dealt to the folds in turn.
//! - `--unseen`: datasets that none of `MODEL` learned from, which predict them together, as they will any new scan.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "result and progress")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deepmir_cases::folds::folds;
use deepmir_cases::{CaseFiles, Cohort};
use deepmir_model::cross_validation::{CrossValidation, Progress};
use deepmir_model::{Bundle, ModelError, ModelSettings, Provenance};
use deepmir_net::{DeviceChoice, Weights, preset};
use deepmir_volume::nifti::ReadOptions;

/// Networks, and the subjects that none of them learned from.
type Group = (Vec<Weights>, Vec<CaseFiles>);

const USAGE: &str = "give FOLDS[,FOLDS…] COHORT MODEL[,MODEL…] OUT [--beta BETA] [--init-from MODEL] [--patch-steps N] \
                     [--extra-validation DATA…] [--unseen DATA…]";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = ["--extra-validation", "--unseen"];
    let first = arguments.iter().position(|argument| options.contains(&argument.as_str()));
    let (own, data) = arguments.split_at(first.unwrap_or(arguments.len()));
    let mut training = preset::deepmir().training;
    let [folds_models, cohort, models, out, settings @ ..] = own else { return Err(USAGE.into()) };
    let mut init_from = None;
    for setting in settings.chunks(2) {
        match setting {
            [option, beta] if option == "--beta" => training.threshold_beta = beta.parse()?,
            [option, model] if option == "--init-from" => {
                let mut model = Bundle::read(Path::new(model))?;
                // New trees are fitted.
                model.settings.candidate_classifier = None;
                init_from = Some(model);
            }
            [option, steps] if option == "--patch-steps" => {
                if let Some(patches) = &mut training.patch_classifier {
                    patches.steps = steps.parse()?;
                }
            }
            _ => return Err(USAGE.into()),
        }
    }
    let (mut extra_validation, mut unseen) = (Vec::new(), Vec::new());
    let mut to = &mut extra_validation;
    for argument in data {
        match argument.as_str() {
            "--extra-validation" => to = &mut extra_validation,
            "--unseen" => to = &mut unseen,
            path => to.push(PathBuf::from(path)),
        }
    }
    let read = |names: &str| -> Result<Vec<Bundle>, ModelError> {
        names.split(',').map(|name| model_or_folds(Path::new(name))).collect()
    };
    let (cross_validated, ensemble) = (read(folds_models)?, read(models)?);
    let cohort = Cohort::read(Path::new(cohort), None)?;

    let mut groups = out_of_fold(&cross_validated, &cohort, training.seed)?;
    let count = groups.len();
    let extra = cohort.extra(&extra_validation)?;
    let mut patients = cohort.groups.clone();
    patients.extend(extra.groups);
    for (n, case) in extra.cases.into_iter().enumerate() {
        groups[n % count].1.push(case);
    }
    let members: Vec<Weights> =
        ensemble.iter().flat_map(|model| model.members.iter().cloned()).collect();
    if !unseen.is_empty() {
        let unseen = cohort.extra(&unseen)?;
        patients.extend(unseen.groups);
        groups.push((members.clone(), unseen.cases));
    }
    // The patch classifier is trained anew.
    let settings = ModelSettings { patch_classifier: None, ..cross_validated[0].settings.clone() };
    let model_of = |(networks, _): &Group| Bundle::new(settings.clone(), networks.clone(), vec![]);
    let models = groups.iter().map(model_of).collect::<Result<Vec<_>, _>>()?;
    let held_out: Vec<Vec<CaseFiles>> = groups.into_iter().map(|(_, cases)| cases).collect();
    let scans: usize = held_out.iter().map(Vec::len).sum();
    std::fs::create_dir_all(out)?;
    let cross_validation = CrossValidation {
        groups: &patients,
        models: &models,
        held_out: &held_out,
        init_from: init_from.as_ref(),
        config: &training,
        device: DeviceChoice::Cpu,
        read: &ReadOptions::default(),
        scratch: Path::new(out),
    };
    let joined = cross_validation.run(&mut |event| match event {
        Progress::Subjects(done) => eprintln!("{done} of {scans} scans"),
        Progress::PatchClassifier { step, of } if step % 100 == 0 => {
            eprintln!("{step} of {of} steps of the patch classifier");
        }
        Progress::PatchClassifier { .. } => {}
    })?;
    let f1 = joined.settings.provenance.validation_f1;
    println!("{:#?}\nmean lesion F1 {f1:.3}", joined.settings.detection);
    for point in &joined.settings.operating_points {
        println!("{}: {:#?}", point.images.join(", "), point.classes);
    }
    with_detection_of(&joined, &ensemble, members)?.write(Path::new(out))?;
    Ok(())
}

/// For each combination of folds its networks, and the subjects of the cohort that none of them learned from.
fn out_of_fold(
    cross_validated: &[Bundle],
    cohort: &Cohort,
    seed: u64,
) -> Result<Vec<Group>, Box<dyn std::error::Error>> {
    let mut groups: Vec<Group> = vec![(Vec::new(), cohort.cases.clone())];
    for model in cross_validated {
        let known = cohort.clone().only(&model.settings.provenance.validation_subjects)?;
        let splits = folds(&known, model.members.len(), seed)?;
        let split = groups.iter().flat_map(|(networks, cases)| {
            splits.iter().zip(&model.members).map(move |(split, weights)| {
                let held_out = |case: &&CaseFiles| split.held_out.contains(case);
                let cases = cases.iter().filter(held_out).cloned().collect();
                ([networks.as_slice(), std::slice::from_ref(weights)].concat(), cases)
            })
        });
        groups = split.collect();
    }
    Ok(groups)
}

/// The networks of an ensemble with the detection of the joined model.
fn with_detection_of(
    joined: &Bundle,
    ensemble: &[Bundle],
    members: Vec<Weights>,
) -> Result<Bundle, ModelError> {
    let Some(first) = ensemble.first() else {
        return Err(ModelError::Config { reason: USAGE.to_owned() });
    };
    let mut data: Vec<String> = Vec::new();
    let mut learned_from: BTreeSet<String> = BTreeSet::new();
    for model in ensemble {
        let Provenance { data: of_one, training_subjects, .. } = &model.settings.provenance;
        if !data.contains(of_one) {
            data.push(of_one.clone());
        }
        learned_from.extend(training_subjects.iter().cloned());
    }
    let first = first.settings.clone();
    let settings = ModelSettings {
        patch_classifier: joined.settings.patch_classifier.clone(),
        operating_points: joined.settings.operating_points.clone(),
        provenance: Provenance {
            data: data.join("; "),
            training_subjects: learned_from.into_iter().collect(),
            validation_subjects: joined.settings.provenance.validation_subjects.clone(),
            validation_f1: joined.settings.provenance.validation_f1,
            ..first.provenance
        },
        ..first
    };
    let settings = settings.with_detection(joined.settings.detection());
    Bundle::new(settings, members, joined.patch_members.clone())
}

/// A model, or the models of single folds side by side.
fn model_or_folds(path: &Path) -> Result<Bundle, ModelError> {
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
    let members = folds.iter().flat_map(|fold| fold.members.iter().cloned()).collect();
    Bundle::new(settings, members, vec![])
}
