//! Predicted against true label maps, over a cohort.

mod doubts;
mod pairs;
mod profile;
mod reloaded;
mod tables;
mod valdo;

use std::collections::BTreeMap;
use std::path::Path;

use deepmir_cases::Groups;
use deepmir_detect::ProbabilityMaps;
use deepmir_lesion::matching::MatchRule;
use deepmir_lesion::metrics::{
    Bootstrap, Confusion, Detections, Froc, PooledClass, SubjectScore, froc, pool_units, score,
};
use deepmir_lesion::{
    Candidate, KnownPredictions, LabelMap, Lesion, LesionClass, leaves_out, lesions_of,
};
use deepmir_pipeline::predict::candidates;
use deepmir_volume::components::Connectivity;
use deepmir_volume::{Mask, Volume, check_same_grid};
use rayon::prelude::*;
use serde::Serialize;

use crate::StudyError;
pub use doubts::doubts;
pub(crate) use doubts::is_predicted;
pub use pairs::{EvaluationPair, ReadPair, pairs, without_prediction};
pub use profile::PooledMeasure;
pub use reloaded::{ReloadedScan, reloaded, reloaded_pooled, write_reloaded};
pub use valdo::{ValdoScan, valdo, valdo_pooled, write_valdo};

/// How maps are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationOptions {
    /// When a predicted lesion is a true one.
    pub rule: MatchRule,
    /// 26 neighbours, or 6.
    pub connectivity: Connectivity,
    /// Lesions smaller than this count on neither side.
    pub min_volume_mm3: f64,
    /// Classes that count; without, those that occur in either side.
    pub classes: Vec<LesionClass>,
    /// Voxels whose probability reaches this make up the candidates of FROC curves.
    pub froc_threshold: f32,
    /// Intervals.
    pub bootstrap: Bootstrap,
    /// Which subjects are one patient: they are drawn together. All scans of one subject (`sub-01_ses-1`) are, too.
    pub groups: Groups,
}

impl Default for EvaluationOptions {
    fn default() -> Self {
        Self {
            rule: MatchRule::Overlap,
            connectivity: Connectivity::TwentySix,
            min_volume_mm3: 0.0,
            classes: LesionClass::ALL.to_vec(),
            froc_threshold: 0.3,
            bootstrap: Bootstrap::default(),
            groups: Groups::default(),
        }
    }
}

/// What came out.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// How maps were compared.
    pub settings: Settings,
    /// Each subject.
    pub subjects: Vec<SubjectScore>,
    /// Each class over all subjects.
    pub classes: Vec<PooledClass>,
    /// Which class was taken for which.
    pub confusion: Confusion,
    /// For each class, sensitivity against false positives, where probability maps were given.
    pub froc: Vec<(LesionClass, Option<Froc>)>,
}

/// The settings of an evaluation, as written beside its results.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// The program.
    pub program: String,
    /// The matching rule.
    pub matching: String,
    /// Neighbours that connect voxels.
    pub connectivity: u8,
    /// Smallest lesions counted.
    pub min_volume_mm3: f64,
    /// Threshold of the curves' candidates.
    pub froc_threshold: f32,
    /// Resamples and seed.
    pub bootstrap: Bootstrap,
}

/// Compares every pair. Predicted lesions of which nobody knows by a pair's unknown mask count nowhere, and are counted
/// ([`KnownPredictions`]). `progress` is called with the number of subjects done.
///
/// # Errors
/// Unreadable maps, values without a meaning, different grids.
pub fn evaluate(
    pairs: &[EvaluationPair],
    options: &EvaluationOptions,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Evaluation, StudyError> {
    let done = std::sync::atomic::AtomicUsize::new(0);
    let compared = pairs
        .par_iter()
        .map(|pair| {
            let result = compare(pair, options);
            progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1);
            result
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(pooled(&compared, options))
}

/// Compares label maps in memory; `names` are what messages call the true and the predicted one. Without probability
/// maps there are no curves.
///
/// # Errors
/// Different grids.
pub fn evaluate_maps(
    id: &str,
    truth: &LabelMap,
    predicted: &LabelMap,
    names: [&Path; 2],
    options: &EvaluationOptions,
) -> Result<Evaluation, StudyError> {
    same_grid(names[0], truth.volume(), names[1], predicted.volume())?;
    let [truth, predicted] = [truth, predicted].map(|labels| without_small(labels, options));
    Ok(pooled(&[(score_of(id, &truth, &predicted, options), Vec::new())], options))
}

/// Pools the scores of all subjects.
fn pooled(compared: &[Compared], options: &EvaluationOptions) -> Evaluation {
    let subjects: Vec<SubjectScore> = compared.iter().map(|(score, _)| score.clone()).collect();
    let units = units(&subjects, &options.groups);
    let (classes, confusion) = pool_units(&subjects, &units, &options.classes, &options.bootstrap);
    let curve = |class: LesionClass| {
        // Only if every subject has the map: a curve over some would be another cohort's.
        let detections: Option<Vec<Detections>> = compared
            .iter()
            .map(|(_, curves)| {
                curves.iter().find(|(other, _)| *other == class).map(|(_, d)| d.clone())
            })
            .collect();
        (class, detections.and_then(|detections| froc(&detections)))
    };
    Evaluation {
        settings: Settings {
            program: deepmir_pipeline::program(),
            matching: options.rule.to_string(),
            connectivity: if options.connectivity == Connectivity::Six { 6 } else { 26 },
            min_volume_mm3: options.min_volume_mm3,
            froc_threshold: options.froc_threshold,
            bootstrap: options.bootstrap,
        },
        froc: options.classes.iter().map(|&class| curve(class)).collect(),
        subjects,
        classes,
        confusion,
    }
}

/// The places of each patient's scans, patients in the order of their first.
fn units(subjects: &[SubjectScore], groups: &Groups) -> Vec<Vec<usize>> {
    let mut names: Vec<String> = Vec::new();
    let mut units: Vec<Vec<usize>> = Vec::new();
    for (n, subject) in subjects.iter().enumerate() {
        let name = groups.of_scan(&subject.subject);
        match names.iter().position(|known| *known == name) {
            Some(unit) => units[unit].push(n),
            None => {
                names.push(name);
                units.push(vec![n]);
            }
        }
    }
    units
}

type Compared = (SubjectScore, Vec<(LesionClass, Detections)>);

fn compare(pair: &EvaluationPair, options: &EvaluationOptions) -> Result<Compared, StudyError> {
    let ReadPair { truth, predicted, unknown } = pair.read()?;
    let probabilities = pair.read_probabilities(&predicted)?;
    let [truth, predicted] = [truth, predicted].map(|labels| without_small(&labels, options));
    let known = known_predictions(predicted, &truth, unknown.as_ref(), options);
    let score = score_of(&pair.id, &truth, &known.labels, options).with_left_out(&known.left_out);
    Ok((score, detections(pair, probabilities, &truth, unknown.as_ref(), options)?))
}

/// Leaves out the predicted lesions of which nobody knows.
pub(crate) fn known_predictions(
    labels: LabelMap,
    truth: &LabelMap,
    unknown: Option<&Mask>,
    options: &EvaluationOptions,
) -> KnownPredictions {
    match unknown {
        Some(unknown) => {
            KnownPredictions::of(&labels, truth, unknown, options.rule, options.connectivity)
        }
        None => KnownPredictions { labels, left_out: BTreeMap::new() },
    }
}

/// Leaves out the candidates of which nobody knows.
pub(crate) fn retain_known(
    candidates: &mut Vec<Candidate>,
    truth: &[Lesion],
    unknown: Option<&Mask>,
    rule: MatchRule,
) {
    if let Some(unknown) = unknown {
        candidates.retain(|candidate| !leaves_out(&candidate.lesion, truth, unknown, rule));
    }
}

fn score_of(
    id: &str,
    truth: &LabelMap,
    predicted: &LabelMap,
    options: &EvaluationOptions,
) -> SubjectScore {
    score(id, truth, predicted, &options.classes, options.rule, options.connectivity)
}

/// The curves' detections from probability maps, where all of them are there.
fn detections(
    pair: &EvaluationPair,
    probabilities: Vec<(LesionClass, Volume<f32>)>,
    truth: &LabelMap,
    unknown: Option<&Mask>,
    options: &EvaluationOptions,
) -> Result<Vec<(LesionClass, Detections)>, StudyError> {
    let Some(maps) = ProbabilityMaps::new(probabilities) else { return Ok(Vec::new()) };
    let mut candidates = match &pair.candidates {
        Some(path) => {
            let (grid, candidates) = candidates::read(path)?;
            same_grid(&pair.truth, truth.volume(), path, &Volume::filled(grid, ()))?;
            candidates
        }
        None => maps.candidates(options.froc_threshold, None, None),
    };
    let lesions = lesions_of(truth, options.connectivity);
    retain_known(&mut candidates, &lesions, unknown, options.rule);
    let detections = maps.iter().map(|(class, _)| {
        let of_class: Vec<&Lesion> =
            lesions.iter().filter(|lesion| lesion.class == class).collect();
        let large_enough = |candidate: &&Candidate| {
            candidate.lesion.class == class && candidate.lesion.volume_mm3 >= options.min_volume_mm3
        };
        let candidates: Vec<&Candidate> = candidates.iter().filter(large_enough).collect();
        (class, Detections::new(&of_class, &candidates, options.rule))
    });
    Ok(detections.collect())
}

pub(crate) fn without_small(labels: &LabelMap, options: &EvaluationOptions) -> LabelMap {
    if options.min_volume_mm3 <= 0.0 {
        return labels.clone();
    }
    let mut large = LabelMap::empty(*labels.grid());
    for lesion in lesions_of(labels, options.connectivity) {
        if lesion.volume_mm3 >= options.min_volume_mm3 {
            large.paint(&lesion.voxels, lesion.class);
        }
    }
    large
}

pub(crate) fn same_grid<A, B>(
    reference: &Path,
    reference_volume: &Volume<A>,
    other: &Path,
    other_volume: &Volume<B>,
) -> Result<(), StudyError> {
    let remedy = "evaluate on the grid that was predicted on";
    Ok(check_same_grid((reference, reference_volume.grid()), (other, other_volume.grid()), remedy)?)
}
