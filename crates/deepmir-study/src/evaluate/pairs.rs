//! Which predicted label map belongs to which true one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_cases::bids::{self, BidsName, images_below};
use deepmir_cases::{
    CaseError, NnunetFolder, NnunetLabels, read_probabilities, read_unknown, unknown_beside,
};
use deepmir_lesion::{LabelMap, LesionClass};
use deepmir_volume::{Mask, Volume, nifti};

use super::same_grid;
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
    /// How the labels of the truth are to be read, if it is nnU-Net's.
    pub nnunet_truth: Option<NnunetLabels>,
    /// Those of the prediction, and the archive of its probabilities, if there is one.
    pub nnunet_prediction: Option<(NnunetLabels, Option<PathBuf>)>,
}

/// Pairs the maps of two folders by scan (`sub-`, `ses-`, `run-`), or takes two files as one pair. Either folder may be
/// nnU-Net's (`labelsTr`, what it predicted), with a file for each scan that is called as the scan.
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
        let (truth, predicted) = (truth.to_owned(), predicted.to_owned());
        return Ok(vec![EvaluationPair::new(id, (truth, None), (predicted, None))?]);
    }
    if truth.is_file() != predicted.is_file() {
        return Err(StudyError::Subjects {
            reason: "give two files or two folders, not one of each".to_owned(),
        });
    }
    let (truths, predictions) = (maps_in(truth)?, maps_in(predicted)?);
    for (maps, folder, option) in [(&truths, truth, "--truth"), (&predictions, predicted, "--pred")]
    {
        if maps.paths.is_empty() {
            let others = bids::other_segmentations(folder);
            let reason = format!(
                "no lesion label maps (*_seg-lesions_dseg.nii.gz, or of nnU-Net, with its dataset.json) here{others}; give their \
                 folder to {option}"
            );
            return Err(StudyError::Table { path: folder.to_owned(), reason });
        }
    }
    let alone = predictions.paths.keys().filter(|id| !truths.paths.contains_key(*id)).cloned();
    let without_truth = alone.collect::<Vec<_>>().join(", ");
    if !without_truth.is_empty() {
        return Err(StudyError::Subjects {
            reason: format!("no true label map for {without_truth} in {}", truth.display()),
        });
    }
    let pairs = predictions.paths.into_iter().filter_map(|(id, predicted)| {
        let truth = (truths.paths.get(&id)?.clone(), truths.nnunet.clone());
        Some(EvaluationPair::new(id, truth, (predicted, predictions.nnunet.clone())))
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
    let predictions = maps_in(predicted)?.paths;
    // All of them: then something else is wrong, and told.
    if predictions.is_empty() {
        return Ok(Vec::new());
    }
    let truths = maps_in(truth)?.paths.into_keys();
    Ok(truths.filter(|id| !predictions.contains_key(id)).collect())
}

/// The label maps of a folder by scan.
#[derive(Default)]
struct Maps {
    paths: BTreeMap<String, PathBuf>,
    /// If they are nnU-Net's, what their labels are.
    nnunet: Option<NnunetLabels>,
}

/// The label maps of a folder, which may be a dataset's own where `truth` lies below it, or nnU-Net's.
fn maps_in(folder: &Path) -> Result<Maps, StudyError> {
    let paths = bids::label_maps(folder).map_err(|error| match error {
        CaseError::TwoLabelMaps { scan, first, second } => StudyError::Subjects {
            reason: format!(
                "{scan} has two label maps; give a folder that has one of them:\n  {}\n  {}",
                first.display(),
                second.display()
            ),
        },
        other => other.into(),
    })?;
    if paths.is_empty()
        && let Some(NnunetFolder { maps, labels }) = NnunetFolder::find(folder)?
    {
        return Ok(Maps { paths: maps, nnunet: Some(labels) });
    }
    Ok(Maps { paths, nnunet: None })
}

impl EvaluationPair {
    /// With what lies beside truth and prediction.
    fn new(
        id: String,
        (truth, nnunet_truth): (PathBuf, Option<NnunetLabels>),
        (predicted, nnunet): (PathBuf, Option<NnunetLabels>),
    ) -> Result<Self, StudyError> {
        let archive = predicted.with_file_name(format!("{}.npz", nifti::stem(&predicted)));
        let archive = archive.is_file().then_some(archive);
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
            nnunet_truth,
            nnunet_prediction: nnunet.map(|labels| (labels, archive)),
        })
    }
}

impl EvaluationPair {
    /// Reads the true and the predicted label map, and where nobody knows.
    ///
    /// # Errors
    /// Unreadable maps, values without a meaning, different grids.
    pub fn read(&self) -> Result<ReadPair, StudyError> {
        let read = |path: &Path, nnunet: Option<&NnunetLabels>| match nnunet {
            Some(labels) => Ok::<_, StudyError>(labels.read_map(path)?),
            None => Ok((LabelMap::read(path)?.0, None)),
        };
        let (truth, ignored) = read(&self.truth, self.nnunet_truth.as_ref())?;
        let of_prediction = self.nnunet_prediction.as_ref().map(|(labels, _)| labels);
        let (predicted, _) = read(&self.predicted, of_prediction)?;
        same_grid(&self.truth, truth.volume(), &self.predicted, predicted.volume())?;
        let unknown = match &self.unknown {
            Some(path) => {
                let unknown = read_unknown(path)?;
                same_grid(&self.truth, truth.volume(), path, &unknown)?;
                Some(unknown)
            }
            None => ignored,
        };
        Ok(ReadPair { truth, predicted, unknown })
    }

    /// Reads the probability maps, if there are any, on the grid of the predicted label map, `predicted`.
    ///
    /// # Errors
    /// Unreadable maps, another grid.
    pub(super) fn read_probabilities(
        &self,
        predicted: &LabelMap,
    ) -> Result<Vec<(LesionClass, Volume<f32>)>, StudyError> {
        if let Some((labels, Some(archive))) = &self.nnunet_prediction {
            return Ok(read_probabilities(archive, labels, predicted)?);
        }
        let read = self.probabilities.iter().map(|(class, path)| {
            let map = nifti::read(path)?.volume;
            same_grid(&self.truth, predicted.volume(), path, &map)?;
            Ok((*class, map))
        });
        read.collect()
    }
}

/// What is compared.
#[derive(Clone, Debug)]
pub struct ReadPair {
    /// The true lesions.
    pub truth: LabelMap,
    /// The predicted lesions.
    pub predicted: LabelMap,
    /// Where nobody knows whether there is a lesion, by a mask beside the true label map or by nnU-Net's label.
    pub unknown: Option<Mask>,
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
