//! Which predicted label map belongs to which true one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_cases::bids::{self, BidsName, images_below};
use deepmir_cases::{CaseError, unknown_beside};
use deepmir_lesion::LesionClass;
use deepmir_volume::nifti;

use crate::StudyError;

/// One subject's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationPair {
    /// Its name.
    pub id: String,
    /// The true label map.
    pub truth: PathBuf,
    /// Where nobody knows whether there is a lesion, a mask beside the true label map, where there is one.
    pub unknown: Option<PathBuf>,
    /// The predicted label map.
    pub predicted: PathBuf,
    /// Predicted probability maps, where there are any.
    pub probabilities: Vec<(LesionClass, PathBuf)>,
    /// The table of candidates, where the model has a candidate classifier: curves then rank its probabilities in
    /// place of the maps' peaks.
    pub candidates: Option<PathBuf>,
}

/// Pairs the maps of two folders by scan (`sub-`, `ses-`, `run-`), or takes two files as one pair.
///
/// # Errors
/// A true map without a prediction or a prediction without a truth, naming them; folders without
/// label maps; two unknown masks of one scan.
pub fn pairs(truth: &Path, predicted: &Path) -> Result<Vec<EvaluationPair>, StudyError> {
    if truth.is_file() && predicted.is_file() {
        let names = [truth, predicted].map(BidsName::parse);
        if let [Some(one), Some(other)] = &names
            && one.scan() != other.scan()
        {
            return Err(StudyError::Subjects {
                reason: format!(
                    "by their names the maps are of two scans, {} and {}; give two of one scan",
                    one.scan(),
                    other.scan()
                ),
            });
        }
        let id = BidsName::derived_from(truth).scan();
        return Ok(vec![EvaluationPair::new(id, truth.to_owned(), predicted.to_owned())?]);
    }
    if truth.is_file() != predicted.is_file() {
        return Err(StudyError::Subjects {
            reason: "give two files or two folders, not one of each".to_owned(),
        });
    }
    let (truths, predictions) = (maps_in(truth)?, maps_in(predicted)?);
    for (maps, folder, option) in [(&truths, truth, "--truth"), (&predictions, predicted, "--pred")]
    {
        if maps.is_empty() {
            let others = bids::other_segmentations(folder);
            let reason = format!(
                "no lesion label maps (*_seg-lesions_dseg.nii.gz) here{others}; give their folder to {option}"
            );
            return Err(StudyError::Table { path: folder.to_owned(), reason });
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
    pairs.collect()
}

/// True maps that no prediction was found for.
///
/// # Errors
/// Folders that cannot be read.
pub fn without_prediction(truth: &Path, predicted: &Path) -> Result<Vec<String>, StudyError> {
    if truth.is_file() {
        return Ok(Vec::new());
    }
    let predictions = maps_in(predicted)?;
    // All of them: then something else is wrong, and told.
    if predictions.is_empty() {
        return Ok(Vec::new());
    }
    let truths = maps_in(truth)?.into_keys();
    Ok(truths.filter(|id| !predictions.contains_key(id)).collect())
}

/// The label maps of a folder, which may be a dataset's own where `truth` lies below it.
fn maps_in(folder: &Path) -> Result<BTreeMap<String, PathBuf>, StudyError> {
    bids::label_maps(folder).map_err(|error| match error {
        CaseError::TwoLabelMaps { scan, first, second } => StudyError::Subjects {
            reason: format!(
                "{scan} has two label maps; give a folder that has one of them:\n  {}\n  {}",
                first.display(),
                second.display()
            ),
        },
        other => other.into(),
    })
}

impl EvaluationPair {
    /// With what lies beside truth and prediction.
    fn new(id: String, truth: PathBuf, predicted: PathBuf) -> Result<Self, StudyError> {
        let name = BidsName::derived_from(&predicted);
        let name = name.of_scan(&[("desc", "lesions")], "_candidates.tsv");
        let candidates = predicted.with_file_name(name);
        Ok(Self {
            id,
            unknown: unknown_beside(&truth)?,
            truth,
            probabilities: beside(&predicted),
            predicted,
            candidates: candidates.is_file().then_some(candidates),
        })
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
