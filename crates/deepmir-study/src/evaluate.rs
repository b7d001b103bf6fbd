//! Predicted against true label maps, over a cohort.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_detect::ProbabilityMaps;
use deepmir_lesion::matching::MatchRule;
use deepmir_lesion::metrics::{
    Bootstrap, Confusion, Detections, Froc, METRICS, PooledClass, SubjectScore, froc, pool, score,
};
use deepmir_lesion::{Candidate, LabelMap, Lesion, LesionClass, lesions_of};
use deepmir_volume::components::Connectivity;
use deepmir_volume::{GridMismatch, Volume, VolumeError, nifti};
use rayon::prelude::*;
use serde::Serialize;

use crate::StudyError;
use deepmir_cases::CaseError;
use deepmir_cases::bids::images_below;
use deepmir_cases::bids::{self, BidsName};
use deepmir_pipeline::predict::candidates;

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
        }
    }
}

/// One subject's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationPair {
    /// Its name.
    pub id: String,
    /// The true label map.
    pub truth: PathBuf,
    /// The predicted label map.
    pub predicted: PathBuf,
    /// Predicted probability maps, where there are any.
    pub probabilities: Vec<(LesionClass, PathBuf)>,
    /// The table of candidates, where the model has a candidate classifier: curves then rank its probabilities in
    /// place of the maps' peaks.
    pub candidates: Option<PathBuf>,
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

/// Pairs the maps of two folders by scan (`sub-`, `ses-`, `run-`), or takes two files as one pair.
///
/// # Errors
/// A true map without a prediction or a prediction without a truth, naming them; folders without
/// label maps.
pub fn pairs(truth: &Path, predicted: &Path) -> Result<Vec<EvaluationPair>, StudyError> {
    if truth.is_file() && predicted.is_file() {
        let id = BidsName::derived_from(truth).scan();
        return Ok(vec![EvaluationPair::new(id, truth.to_owned(), predicted.to_owned())]);
    }
    if truth.is_file() != predicted.is_file() {
        return Err(StudyError::Subjects {
            reason: "give two files or two folders, not one of each".to_owned(),
        });
    }
    let (truths, predictions) = (bids::label_maps(truth)?, bids::label_maps(predicted)?);
    for (maps, folder) in [(&truths, truth), (&predictions, predicted)] {
        if maps.is_empty() {
            return Err(CaseError::NoLabels { path: folder.to_owned() }.into());
        }
    }
    let unpaired = |ours: &BTreeMap<String, PathBuf>, theirs: &BTreeMap<String, PathBuf>| {
        let alone = ours.keys().filter(|id| !theirs.contains_key(*id)).cloned();
        alone.collect::<Vec<_>>().join(", ")
    };
    let without_truth = unpaired(&predictions, &truths);
    if !without_truth.is_empty() {
        return Err(StudyError::Subjects {
            reason: format!("no true label map for {without_truth} in {}", truth.display()),
        });
    }
    let pairs = predictions.into_iter().filter_map(|(id, predicted)| {
        let truth = truths.get(&id)?.clone();
        Some(EvaluationPair::new(id, truth, predicted))
    });
    Ok(pairs.collect())
}

/// True maps that no prediction was found for.
///
/// # Errors
/// Folders that cannot be read.
pub fn without_prediction(truth: &Path, predicted: &Path) -> Result<Vec<String>, StudyError> {
    if truth.is_file() {
        return Ok(Vec::new());
    }
    let predictions = bids::label_maps(predicted)?;
    let truths = bids::label_maps(truth)?.into_keys();
    Ok(truths.filter(|id| !predictions.contains_key(id)).collect())
}

impl EvaluationPair {
    /// With what lies beside the prediction.
    fn new(id: String, truth: PathBuf, predicted: PathBuf) -> Self {
        let name = BidsName::derived_from(&predicted);
        let name = name.of_scan(&[("desc", "lesions")], "_candidates.tsv");
        let candidates = predicted.with_file_name(name);
        Self {
            id,
            truth,
            probabilities: beside(&predicted),
            predicted,
            candidates: candidates.is_file().then_some(candidates),
        }
    }
}

/// Probability maps in the folder of a label map that are of the same scan.
fn beside(label_map: &Path) -> Vec<(LesionClass, PathBuf)> {
    let Some(folder) = label_map.parent() else { return Vec::new() };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let stem = nifti::stem(label_map);
    let Some(base) = stem.strip_suffix("dseg") else { return Vec::new() };
    let files = images_below(folder).unwrap_or_default();
    let mut maps: Vec<(LesionClass, PathBuf)> = files
        .into_iter()
        .filter_map(|path| {
            let stem = nifti::stem(&path);
            let label =
                stem.strip_prefix(base)?.strip_prefix("label-")?.strip_suffix("_probseg")?;
            Some((label.parse().ok()?, path))
        })
        .collect();
    maps.sort();
    maps
}

/// Compares every pair. `progress` is called with the number of subjects done.
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
    Ok(pooled(&[(score_of(id, truth, predicted, options), Vec::new())], options))
}

/// Pools the scores of all subjects.
fn pooled(compared: &[Compared], options: &EvaluationOptions) -> Evaluation {
    let subjects: Vec<SubjectScore> = compared.iter().map(|(score, _)| score.clone()).collect();
    let (classes, confusion) = pool(&subjects, &options.classes, &options.bootstrap);
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

type Compared = (SubjectScore, Vec<(LesionClass, Detections)>);

fn compare(pair: &EvaluationPair, options: &EvaluationOptions) -> Result<Compared, StudyError> {
    let (truth, _) = LabelMap::read(&pair.truth)?;
    let (predicted, _) = LabelMap::read(&pair.predicted)?;
    same_grid(&pair.truth, truth.volume(), &pair.predicted, predicted.volume())?;
    let score = score_of(&pair.id, &truth, &predicted, options);
    Ok((score, detections(pair, &without_small(&truth, options), options)?))
}

fn score_of(
    id: &str,
    truth: &LabelMap,
    predicted: &LabelMap,
    options: &EvaluationOptions,
) -> SubjectScore {
    let [truth, predicted] = [truth, predicted].map(|labels| without_small(labels, options));
    score(id, &truth, &predicted, &options.classes, options.rule, options.connectivity)
}

/// The curves' detections from probability maps, where all of them are there.
fn detections(
    pair: &EvaluationPair,
    truth: &LabelMap,
    options: &EvaluationOptions,
) -> Result<Vec<(LesionClass, Detections)>, StudyError> {
    let mut maps = Vec::with_capacity(pair.probabilities.len());
    for (class, path) in &pair.probabilities {
        let map = nifti::read(path)?.volume;
        same_grid(&pair.truth, truth.volume(), path, &map)?;
        maps.push((*class, map));
    }
    let Some(maps) = ProbabilityMaps::new(maps) else { return Ok(Vec::new()) };
    let candidates = match &pair.candidates {
        Some(path) => {
            let (grid, candidates) = candidates::read(path)?;
            same_grid(&pair.truth, truth.volume(), path, &Volume::filled(grid, ()))?;
            candidates
        }
        None => maps.candidates(options.froc_threshold, None, None),
    };
    let lesions = lesions_of(truth, options.connectivity);
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
    if reference_volume.grid().same_as(other_volume.grid()) {
        return Ok(());
    }
    let mismatch = GridMismatch {
        reference: reference.to_owned(),
        reference_grid: *reference_volume.grid(),
        other: other.to_owned(),
        other_grid: *other_volume.grid(),
        remedy: "evaluate on the grid that was predicted on".to_owned(),
    };
    Err(VolumeError::GridMismatch(Box::new(mismatch)).into())
}

impl Evaluation {
    /// Writes `evaluation.json`, `subjects.tsv` and `pooled.tsv` into a folder.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), StudyError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| StudyError::Write { path: folder.to_owned(), source })?;
        bids::write_json(&folder.join("evaluation.json"), self)?;
        bids::write_text(&folder.join("subjects.tsv"), &self.subjects_table())?;
        Ok(bids::write_text(&folder.join("pooled.tsv"), &self.pooled_table())?)
    }

    fn subjects_table(&self) -> String {
        let mut text = String::from(
            "subject\tclass\ttruth\tpredicted\tmatched\tfalse_positives\tmissed\tsensitivity\tprecision\t\
             f1\tdice\ttruth_volume_mm3\tpredicted_volume_mm3\n",
        );
        for subject in &self.subjects {
            for score in &subject.classes {
                text += &format!(
                    "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{:.3}\t{:.3}\n",
                    subject.subject,
                    score.class,
                    score.truth,
                    score.predicted,
                    score.matched,
                    score.false_positives(),
                    score.missed(),
                    cell(score.sensitivity()),
                    cell(score.precision()),
                    cell(score.f1()),
                    cell(score.dice()),
                    score.truth_volume_mm3,
                    score.predicted_volume_mm3,
                );
            }
        }
        text
    }

    fn pooled_table(&self) -> String {
        let mut text = String::from("class\tmetric\tvalue\tlow\thigh\tmeaning\n");
        for class in &self.classes {
            for ((name, estimate), metric) in class.metrics.iter().zip(METRICS) {
                text += &format!(
                    "{}\t{name}\t{}\t{}\t{}\t{}\n",
                    class.class,
                    cell(estimate.map(|estimate| estimate.value)),
                    cell(estimate.map(|estimate| estimate.low)),
                    cell(estimate.map(|estimate| estimate.high)),
                    metric.meaning,
                );
            }
        }
        text
    }
}

fn cell(value: Option<f64>) -> String {
    value.map_or("n/a".to_owned(), |value| format!("{value:.4}"))
}
