//! One scan: from image files to a label map, probability maps, a lesion table and a page.

pub mod candidates;
mod methods;
mod page;
pub mod quality;
mod window;
mod write;

use std::path::Path;

use deepmir_cases::{Case, CaseFiles, Modality};
use deepmir_detect::ProbabilityMaps;
use deepmir_lesion::{Candidate, LabelMap, LesionClass, LesionRow, MeasuredImages};
use deepmir_model::{Bundle, Detected, Detector};
use deepmir_net::{DeviceChoice, NetError};

use crate::PipelineError;
pub use crate::checksum::sha256;
use crate::error::tolerate;
use quality::Quality;
pub use window::window;
pub use write::{Written, reference_name};

/// A model ready to run, and what is made of its detections.
pub struct Predictor {
    /// The model.
    pub detector: Detector,
    /// Whether a scan with any warning is an error and nothing is written for it.
    pub strict: bool,
}

/// What was found in a scan, on its own grid.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The images.
    pub case: Case,
    /// Where which class is.
    pub labels: LabelMap,
    /// How probable each class is at each voxel.
    pub probabilities: ProbabilityMaps,
    /// Every candidate, accepted or not.
    pub candidates: Vec<Candidate>,
    /// The lesions, in the order of the table.
    pub found: Vec<Candidate>,
    /// The table.
    pub rows: Vec<LesionRow>,
    /// Measures of the images.
    pub quality: Quality,
    /// Whether the images were read from files, whose checksums tell what the result comes from; else they were in
    /// memory.
    pub from_files: bool,
}

impl Predictor {
    /// Opens a model on a device.
    ///
    /// # Errors
    /// A device that is not there, or weights that do not fit.
    pub fn new(bundle: Bundle, device: DeviceChoice) -> Result<Self, PipelineError> {
        Ok(Self { detector: Detector::new(bundle, device)?, strict: false })
    }

    /// The model.
    pub fn bundle(&self) -> &Bundle {
        self.detector.bundle()
    }

    /// Finds the lesions of one scan. Images that the model does not need are measured in, where they are given. `progress`
    /// is called with the number of slices done and of all.
    ///
    /// # Errors
    /// Unreadable or missing images, different grids, no brain; any warning, if `strict`.
    pub fn predict(
        &mut self,
        files: &CaseFiles,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Prediction, PipelineError> {
        let detected = self.detector.detect(files, progress)?;
        let prediction = self.finish(detected, true)?;
        tolerate(&prediction.quality.warnings, self.strict)?;
        Ok(prediction)
    }

    /// As [`Predictor::predict`], in images that were read.
    ///
    /// # Errors
    /// A missing image; any warning, if `strict`.
    pub fn predict_in(
        &mut self,
        case: Case,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Prediction, PipelineError> {
        let detected = self.detector.detect_in(case, progress)?;
        let prediction = self.finish(detected, false)?;
        tolerate(&prediction.quality.warnings, self.strict)?;
        Ok(prediction)
    }

    /// Selects the lesions among what was detected, brings them to the scan's own grid and measures them.
    fn finish(&self, detected: Detected, from_files: bool) -> Result<Prediction, PipelineError> {
        let Detected { case, prepared, maps, candidates, .. } = &detected;
        let restored = maps.iter().map(|(class, map)| (class, prepared.placement.restore(map)));
        let probabilities = ProbabilityMaps::new(restored.collect())
            .ok_or_else(|| NetError::Config { reason: "the model predicts no class".to_owned() })?;
        let found = maps.accepted(candidates.clone(), &self.bundle().settings.detection);
        let [candidates, found] = [candidates, &found].map(|there| sorted(&detected, there));
        let labels = LabelMap::of(*case.grid(), found.iter().map(|candidate| &candidate.lesion));
        let rows = measured_images(case).measure_candidates(&labels, &found);
        let quality = Quality::of(case);
        let case = detected.case;
        Ok(Prediction { case, labels, probabilities, candidates, found, rows, quality, from_files })
    }

    /// The checksum of an image; `None` of one that was in memory.
    fn checksum(
        &self,
        prediction: &Prediction,
        path: &Path,
    ) -> Result<Option<String>, PipelineError> {
        prediction.from_files.then(|| sha256(path)).transpose()
    }

    /// The probability of each lesion; `None` where the model has no candidate classifier.
    pub fn lesion_probabilities(&self, prediction: &Prediction) -> Option<Vec<f32>> {
        let classifier = self.detector.detection().classifier.as_ref();
        classifier.map(|_| prediction.found.iter().map(Candidate::score).collect())
    }
}

/// Candidates on the subject's own grid, in order.
fn sorted(detected: &Detected, candidates: &[Candidate]) -> Vec<Candidate> {
    let there = detected.on_own_grid(candidates).into_iter();
    let mut there: Vec<Candidate> = there.map(|(_, candidate)| candidate).collect();
    Candidate::sort(&mut there);
    there
}

/// A case's images to measure lesions in.
pub fn measured_images(case: &Case) -> MeasuredImages<'_> {
    MeasuredImages {
        swi: case.images.get(&Modality::Swi),
        qsm_ppm: case.images.get(&Modality::Qsm),
        t2w: case.images.get(&Modality::T2w),
        brain: Some(&case.brain),
    }
}

/// Lesions of each class in a table.
pub fn counts(rows: &[LesionRow]) -> [(LesionClass, usize); 2] {
    LesionClass::ALL.map(|class| (class, rows.iter().filter(|row| row.class == class).count()))
}
