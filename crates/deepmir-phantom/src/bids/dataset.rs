//! Datasets of many subjects, resumed where a run was killed.

use std::path::{Path, PathBuf};

use deepmir_cases::bids::{write_json, write_text};
use deepmir_cases::outputs::check_own_dataset;
use rand::RngExt;
use serde_json::json;

use super::record::Record;
use super::scan::{ScanName, truth_folder, write_bids};
use crate::PhantomError;
use crate::config::PhantomConfig;
use crate::head::list_label_maps;
use crate::progress::Step;
use crate::random::{Purpose, stream};
use crate::simulate::simulate;
use crate::subject::{Anatomy, Subject};

/// Where the heads of a dataset come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AnatomySource {
    /// Formulas and noise.
    #[default]
    BuiltIn,
    /// A label map, or a folder of them that subjects take in turn.
    LabelMaps(PathBuf),
}

/// A dataset to be made.
#[derive(Clone, Debug)]
pub struct DatasetPlan {
    /// The settings.
    pub config: PhantomConfig,
    /// Where heads come from.
    pub anatomy: AnatomySource,
    /// How many subjects.
    pub subjects: usize,
    /// Sessions of each subject, at least one. Without more than one, names have no `ses-`.
    pub sessions: usize,
    /// Every subject with a scanner, protocol and reconstruction of its own ([`PhantomConfig::randomized`]).
    pub randomize: bool,
    /// Seed of the whole dataset.
    pub seed: u64,
}

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// A session was finished by an earlier run.
    Skipped {
        /// `sub-01` or `sub-01_ses-1`.
        scan: &'a str,
    },
    /// A step begins.
    Step {
        /// `sub-01` or `sub-01_ses-1`.
        scan: &'a str,
        /// The step.
        step: Step,
    },
    /// A session is on disk.
    Finished {
        /// `sub-01` or `sub-01_ses-1`.
        scan: &'a str,
        /// How long it took, without the drawing of the head.
        seconds: f64,
    },
}

/// As `GeneratedBy` has it.
const GENERATOR: &str = "deepmir phantom";

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Sessions made by this run.
    pub made: usize,
    /// Sessions that an earlier run had finished.
    pub skipped: usize,
}

/// Makes a dataset, or what is missing of it. Files appear whole or not at all, a session's record
/// last, so that a run that was killed goes on with the session it had begun.
///
/// # Errors
/// If the plan is impossible, a label map or folder cannot be read, a file cannot be written, or
/// the folder holds subjects that were made with other settings.
pub fn write_dataset(
    folder: &Path,
    plan: &DatasetPlan,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<Summary, PhantomError> {
    plan.config.validate()?;
    let maps = match &plan.anatomy {
        AnatomySource::BuiltIn => Vec::new(),
        AnatomySource::LabelMaps(path) => list_label_maps(path)?,
    };
    check_own_dataset(folder, GENERATOR)?;
    write_descriptions(folder)?;
    let width = plan.subjects.to_string().len().max(2);
    let mut summary = Summary::default();
    let mut ages = Vec::new();
    for number in 1..=plan.subjects {
        let seed = subject_seed(plan.seed, number);
        let anatomy = match maps.len() {
            0 => Anatomy::BuiltIn,
            count => Anatomy::LabelMap(maps[(number - 1) % count].clone()),
        };
        let config =
            if plan.randomize { plan.config.randomized(seed) } else { plan.config.clone() };
        let label = format!("{number:0width$}");
        let mut subject: Option<Subject> = None;
        for session in 0..plan.sessions.max(1) {
            let name = ScanName {
                subject: label.clone(),
                session: (plan.sessions > 1).then(|| (session + 1).to_string()),
            };
            let scanned = config.of_session(seed, session);
            let mut record = Record {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                seed,
                session,
                anatomy: anatomy.clone(),
                config: scanned.clone(),
                age_years: 0.0,
                drawn: serde_json::Value::Null,
            };
            let scan_name = name.prefix();
            let path = name.record(folder);
            if let Some(done) = Record::read(&path)? {
                if !done.same_making(&record) {
                    return Err(PhantomError::OtherSettings { path });
                }
                report(Event::Skipped { scan: &scan_name });
                summary.skipped += 1;
                if session == 0 {
                    ages.push((label.clone(), done.age_years));
                }
                continue;
            }
            let person = match &mut subject {
                Some(person) => person,
                empty => {
                    report(Event::Step { scan: &scan_name, step: Step::Anatomy });
                    empty.insert(Subject::draw(&config, &anatomy, seed, plan.sessions)?)
                }
            };
            let start = std::time::Instant::now();
            let scan = simulate(person, &scanned, session, &mut |step| {
                report(Event::Step { scan: &scan_name, step });
            })?;
            report(Event::Step { scan: &scan_name, step: Step::Writing });
            record.age_years = scan.drawn.age_years;
            record.drawn = json!(scan.drawn);
            write_bids(folder, &name, &scan, &record)?;
            summary.made += 1;
            let seconds = start.elapsed().as_secs_f64();
            report(Event::Finished { scan: &scan_name, seconds });
            if session == 0 {
                ages.push((label.clone(), record.age_years));
            }
        }
        write_participants(folder, &ages)?;
    }
    Ok(summary)
}

/// A subject's seed: unrelated to those of its neighbours and to those of nearby datasets.
fn subject_seed(seed: u64, number: usize) -> u64 {
    // JSON readers elsewhere keep whole numbers up to 2⁵³ only.
    stream(seed, Purpose::Choice, number as u32).random::<u64>() >> 11
}

fn write_descriptions(folder: &Path) -> Result<(), PhantomError> {
    let truth = truth_folder(folder);
    std::fs::create_dir_all(&truth)
        .map_err(|source| PhantomError::Write { path: truth.clone(), source })?;
    let generated = json!([{ "Name": GENERATOR, "Version": env!("CARGO_PKG_VERSION") }]);
    write_json(
        &folder.join("dataset_description.json"),
        &json!({
            "Name": "deepmir phantoms (simulated)",
            "BIDSVersion": "1.10.0",
            "DatasetType": "raw",
            "License": "CC0",
            "Authors": ["deepmir"],
            "GeneratedBy": generated,
        }),
    )?;
    write_json(
        &truth.join("dataset_description.json"),
        &json!({
            "Name": "deepmir phantoms: what is true of them",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "GeneratedBy": generated,
        }),
    )?;
    write_text(
        &truth.join(".bidsignore"),
        "**/*_desc-sources_list.tsv\n**/*_desc-phantom.json\n**/*_xfm.txt\n**/*_fieldmap.nii.gz\n",
    )?;
    write_text(&folder.join(".bidsignore"), "*_desc-*\n")?;
    Ok(write_text(
        &folder.join("README"),
        "Simulated heads with cerebral microbleeds, iron deposits and their mimics.\n\n\
         derivatives/truth holds what is true of them: label maps (1 CMB, 2 NHID), brain masks,\n\
         the drawn sources, susceptibility (ppm), field (ppm of the main field), R2* (1/s), and the\n\
         settings that made each session (*_desc-phantom.json).\n\n\
         No image shows a person. Not for clinical use.\n",
    )?)
}

fn write_participants(folder: &Path, ages: &[(String, f64)]) -> Result<(), PhantomError> {
    let mut table = String::from("participant_id\tage\n");
    for (label, age) in ages {
        // The standard has ages of 90 and more hidden.
        let age = if *age < 89.5 { format!("{age:.0}") } else { "89+".to_owned() };
        table += &format!("sub-{label}\t{age}\n");
    }
    write_text(&folder.join("participants.tsv"), &table)?;
    Ok(write_json(
        &folder.join("participants.json"),
        &json!({ "age": { "Description": "age at the first session", "Units": "year" } }),
    )?)
}
