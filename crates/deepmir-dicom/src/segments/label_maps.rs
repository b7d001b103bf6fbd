//! Label maps of a dataset, made of the segmentations among the files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deepmir_cases::bids::{BidsName, write_dataset_description, write_label_table};
use deepmir_volume::{Volume, nifti};

use super::SegmentClasses;
use super::place::place;
use super::read::Segmentation;
use crate::DicomError;
use crate::bids::{Item, Names};
use crate::header::Part;
use crate::import::Survey;
use crate::sort::Taken;

/// The folder of a dataset's `derivatives/` that they go to.
const FOLDER: &str = "derivatives/dicom";

/// A label map that can be made of a segmentation.
pub struct LabelMapOf {
    /// Where it goes, inside of the dataset, without ending.
    pub name: String,
    /// The label of its subject.
    pub subject: String,
    file: usize,
    labels: Volume<u8>,
}

impl Survey {
    /// The label maps of all segmentations on images that are taken, and why others cannot be made.
    pub fn label_maps(&self, classes: &SegmentClasses) -> (Vec<LabelMapOf>, Vec<DicomError>) {
        let (mut maps, mut faults) = (Vec::new(), Vec::new());
        let mut names = BTreeSet::new();
        for segmentation in &self.segmentations {
            match self.label_map(segmentation, classes) {
                Ok(map) if names.insert(map.name.clone()) => maps.push(map),
                Ok(map) => {
                    faults.push(self.fault(
                        map.file,
                        "another segmentation is of the same scan; give one of them",
                    ))
                }
                Err(error) => faults.push(error),
            }
        }
        (maps, faults)
    }

    fn label_map(
        &self,
        segmentation: &Segmentation,
        classes: &SegmentClasses,
    ) -> Result<LabelMapOf, DicomError> {
        let drawn_on = self.items.iter().filter(|item| self.is_drawn_on(item, segmentation));
        let best = drawn_on.filter_map(|item| Some((rank(item.decision.taken)?, item)));
        let Some((_, item)) = best.min_by_key(|(rank, _)| *rank) else {
            return Err(self.fault(
                segmentation.file,
                "the images that it was drawn on are not among those that are imported; give them with it, and draw on an \
                 SWI, a magnitude or a QSM",
            ));
        };
        let (Some(names), Ok(grid)) = (Names::of(item), &self.stacks[item.stack].grid) else {
            return Err(self.fault(segmentation.file, "the images that it was drawn on failed"));
        };
        let input = self.files().get(segmentation.file).cloned().unwrap_or_default();
        let labels = place(&input, segmentation, grid, classes)?;
        let subject = item.subject.clone().unwrap_or_default();
        let image = PathBuf::from(format!("{}.nii.gz", names.stem));
        let name = BidsName::derived_from(&image).with(&[("seg", "lesions")], "dseg", "");
        let name = format!("{FOLDER}/sub-{subject}/{}/{name}", names.folder);
        Ok(LabelMapOf { name, subject, file: segmentation.file, labels })
    }

    fn is_drawn_on(&self, item: &Item, segmentation: &Segmentation) -> bool {
        let mut identities =
            self.stacks[item.stack].frames.iter().map(|frame| &frame.header.identity);
        if segmentation.instances.is_empty() {
            identities.any(|identity| segmentation.series.contains(&identity.series))
        } else {
            identities.any(|identity| segmentation.instances.contains(&identity.instance))
        }
    }

    fn path(&self, file: usize) -> PathBuf {
        self.files().get(file).cloned().unwrap_or_default().path
    }

    fn fault(&self, file: usize, reason: &str) -> DicomError {
        DicomError::Segments { path: self.path(file), reason: reason.to_owned() }
    }
}

impl LabelMapOf {
    /// Writes it into a dataset.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn write(&self, dataset: &Path) -> Result<(), DicomError> {
        let stem = dataset.join(&self.name);
        let folder = stem.parent().unwrap_or(dataset);
        std::fs::create_dir_all(folder)
            .map_err(|source| DicomError::Write { path: folder.to_owned(), source })?;
        write_dataset_description(&dataset.join(FOLDER))?;
        let ending = |ending: &str| PathBuf::from(format!("{}{ending}", stem.display()));
        write_label_table(&ending(".tsv"))?;
        Ok(nifti::write(&ending(".nii.gz"), &self.labels, None)?)
    }
}

/// On which of the images of a segmentation the label map is named by; lower is better. Another image may have another
/// grid than the scan.
fn rank(taken: Taken) -> Option<usize> {
    match taken {
        Taken::Swi => Some(0),
        Taken::T2Star => Some(1),
        Taken::Echo(echo, Part::Magnitude) => Some(1 + echo),
        Taken::Echo(echo, _) => Some(1000 + echo),
        Taken::Qsm(_) => Some(2000),
        Taken::T2w | Taken::Aside | Taken::Failed => None,
    }
}
