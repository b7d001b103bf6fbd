//! A cohort as a data set of nnU-Net version 2 (Isensee et al. 2021, <https://doi.org/10.1038/s41592-020-01008-z>), as its
//! page on the format says: <https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md>.

mod description;
mod folder;
mod probabilities;
#[cfg(test)]
mod tests;
mod to_bids;

use std::path::{Path, PathBuf};

use deepmir_lesion::LesionClass;
use deepmir_volume::atomic::{self, NewFolder};
use deepmir_volume::nifti::{self, ReadOptions};
use deepmir_volume::{VolumeError, Warning};
use serde_json::{Map, Value, json};

use crate::folds::folds;
use crate::{Case, CaseError, CaseFiles, Cohort, FindBrain, Modality};

pub use folder::{NnunetFolder, NnunetLabels};
pub use probabilities::read_probabilities;
pub use to_bids::{NnunetChannel, nnunet_to_bids};

const ENDING: &str = ".nii.gz";

/// What a data set is to be.
#[derive(Clone, Debug)]
pub struct NnunetDataset {
    /// Its number, 1 to 999; below 500 are those of others.
    pub number: u16,
    /// Its name.
    pub name: String,
    /// Its channels; every scan must have them.
    pub inputs: Vec<Modality>,
    /// Folds of the cross-validation.
    pub folds: usize,
    /// Seed of the folds.
    pub seed: u64,
}

impl NnunetDataset {
    /// The inputs that every scan with a label map has.
    pub fn common_inputs(cohort: &Cohort) -> Vec<Modality> {
        let labelled = || cohort.cases.iter().filter(|case| case.truth.is_some());
        let everyone =
            |modality: &Modality| labelled().all(|case| case.images.contains_key(modality));
        Modality::ALL.into_iter().filter(everyone).collect()
    }

    /// Writes a new folder `DatasetNNN_NAME` in `raw` and returns its path and what was noticed in the scans. Scans with
    /// a label map are for training (`imagesTr`, `labelsTr`), the others for testing (`imagesTs`). Images are on the grid
    /// of the first, zero outside the brain, QSM in ppm. Labels are 1 CMB and 2 NHID; where nobody knows, 3, which nnU-Net
    /// ignores. `splits_final.json` has the folds that a training of ours has. The folder is there whole or not at all.
    /// `progress` is called with the scans done and their number.
    ///
    /// # Errors
    /// A folder that exists; names that nnU-Net does not take; fewer subjects than folds; a scan without one of the
    /// images; unreadable files.
    pub fn write(
        &self,
        cohort: &Cohort,
        raw: &Path,
        options: &ReadOptions,
        finder: Option<&dyn FindBrain>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(PathBuf, Vec<Warning>), CaseError> {
        let folder = raw.join(format!("Dataset{:03}_{}", self.number, self.name));
        self.validate(cohort, &folder)?;
        let (labelled, unlabelled): (Vec<CaseFiles>, Vec<CaseFiles>) =
            cohort.cases.iter().cloned().partition(|case| case.truth.is_some());
        let training =
            Cohort { cases: labelled, groups: cohort.groups.clone(), warnings: Vec::new() };
        let splits = self.splits(&training)?;

        let failed = |path: &Path, source| CaseError::Write { path: path.to_owned(), source };
        let making = NewFolder::begin(&folder).map_err(|source| failed(&folder, source))?;
        for name in ["imagesTr", "labelsTr", "imagesTs"] {
            if name != "imagesTs" || !unlabelled.is_empty() {
                std::fs::create_dir(making.path().join(name))
                    .map_err(|source| failed(&folder, source))?;
            }
        }
        let total = cohort.cases.len();
        let (mut is_partial, mut warnings) = (false, Vec::new());
        for (done, files) in training.cases.iter().chain(&unlabelled).enumerate() {
            progress(done, total);
            let case = files.read_finding(&self.inputs, options, finder)?;
            is_partial |= case.unknown.is_some();
            self.write_scan(&case, making.path())?;
            warnings.extend(case.warnings);
        }
        progress(total, total);
        let dataset = self.description(training.cases.len(), is_partial);
        for (name, value) in [("dataset.json", &dataset), ("splits_final.json", &splits)] {
            let bytes = format!("{value:#}\n");
            atomic::write(&making.path().join(name), bytes.as_bytes())
                .map_err(|source| failed(&folder.join(name), source))?;
        }
        making.finish().map_err(|source| failed(&folder, source))?;
        Ok((folder, warnings))
    }

    fn validate(&self, cohort: &Cohort, folder: &Path) -> Result<(), CaseError> {
        let refused = |reason: String| Err(CaseError::Subjects { reason });
        let plain = |name: &str| {
            let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
            !name.is_empty() && name.chars().all(fits)
        };
        if !(1..=999).contains(&self.number) || !plain(&self.name) {
            return refused(format!(
                "a data set of nnU-Net has a number from 1 to 999 and a name of letters, digits, - and _, not {} and {:?}",
                self.number, self.name
            ));
        }
        if let Some(case) = cohort.cases.iter().find(|case| !plain(&case.id)) {
            return refused(format!(
                "nnU-Net takes names of letters, digits, -, _ and . alone; rename the scan {:?}",
                case.id
            ));
        }
        if self.inputs.is_empty() {
            return refused(
                "no image is there of every scan; name those to take with --inputs".to_owned(),
            );
        }
        if folder.exists() {
            let reason = "it exists already".to_owned();
            return Err(CaseError::NoPlaceForResults { path: folder.to_owned(), reason });
        }
        Ok(())
    }

    fn splits(&self, training: &Cohort) -> Result<Value, CaseError> {
        let ids = |cases: &[CaseFiles]| -> Vec<String> {
            cases.iter().map(|case| case.id.clone()).collect()
        };
        let splits = folds(training, self.folds, self.seed)?;
        let splits = splits
            .iter()
            .map(|split| json!({"train": ids(&split.training), "val": ids(&split.held_out)}));
        Ok(splits.collect())
    }

    fn write_scan(&self, case: &Case, folder: &Path) -> Result<(), VolumeError> {
        let images = if case.truth.is_some() { "imagesTr" } else { "imagesTs" };
        for (channel, modality) in self.inputs.iter().enumerate() {
            let Some(image) = case.images.get(modality) else { continue };
            let mut image = image.clone();
            let voxels = image.data_mut().iter_mut().zip(case.brain.data());
            voxels.filter(|(_, inside)| !**inside).for_each(|(value, _)| *value = 0.0);
            let name = format!("{}_{channel:04}{ENDING}", case.id);
            nifti::write(&folder.join(images).join(name), &image, Some(&case.header))?;
        }
        if let Some(truth) = &case.truth {
            let mut labels = truth.volume().clone();
            if let Some(unknown) = &case.unknown {
                let voxels = labels.data_mut().iter_mut().zip(unknown.data());
                voxels.filter(|(_, unknown)| **unknown).for_each(|(label, _)| *label = ignored());
            }
            let path = folder.join("labelsTr").join(format!("{}{ENDING}", case.id));
            nifti::write(&path, &labels, Some(&case.header))?;
        }
        Ok(())
    }

    fn description(&self, training: usize, is_partial: bool) -> Value {
        let channels = self.inputs.iter().enumerate();
        let channels: Map<String, Value> =
            channels.map(|(channel, input)| (channel.to_string(), input.name().into())).collect();
        let mut labels = Map::from_iter([("background".to_owned(), 0.into())]);
        for class in LesionClass::ALL {
            labels.insert(class.name().to_owned(), class.label().into());
        }
        if is_partial {
            labels.insert("ignore".to_owned(), ignored().into());
        }
        json!({
            "name": self.name,
            "description": "Cerebral microbleeds (CMB) and non-hemorrhage iron deposits (NHID), written by deepmir",
            "channel_names": channels,
            "labels": labels,
            "numTraining": training,
            "file_ending": ENDING,
        })
    }
}

/// The label of what nobody knows: nnU-Net wants it to be the highest.
fn ignored() -> u8 {
    LesionClass::ALL.iter().map(|class| class.label()).max().unwrap_or(0) + 1
}
