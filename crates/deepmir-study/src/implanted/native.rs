//! What a model calls in scans that nobody labelled: their native lesions, and what it takes for some.

use std::sync::{Arc, Mutex, PoisonError};

use deepmir_cases::CaseFiles;
use deepmir_lesion::LabelMap;
use deepmir_model::{Bundle, Detected, Detector, ModelError};
use deepmir_net::DeviceChoice;
use deepmir_pipeline::anatomy::Anatomy;
use deepmir_volume::Volume;
use deepmir_volume::nifti::ReadOptions;

use crate::StudyError;
use crate::implant::NativeCalls;

/// The calls of a model at lower thresholds than its own.
///
/// Of what it calls, some are lesions and some are not, and nobody knows which: a network must learn neither from it. A
/// lesion that scores just below the threshold would be learned as a negative, so the thresholds are lowered to
/// [`ModelCalls::SHARE`] of the model's. Lower ones would take more of the mimics away that there are to learn from.
pub struct ModelCalls {
    id: String,
    detector: Mutex<Detector>,
}

impl ModelCalls {
    /// The share of the model's detection thresholds that is called.
    pub const SHARE: f32 = 0.5;

    /// Opens a model on a device. The brain of a whole head without a mask is outlined.
    ///
    /// # Errors
    /// A device that is not there, or weights that do not fit.
    pub fn open(
        model: Bundle,
        device: DeviceChoice,
        read: ReadOptions,
    ) -> Result<Self, ModelError> {
        let id = format!("{} {}", model.settings.name, model.id());
        let mut detector = Detector::new(model, device)?;
        detector.read = read;
        detector.find_brain = Some(Arc::new(Anatomy::default()));
        Ok(Self { id, detector: Mutex::new(detector) })
    }

    fn called(detected: &Detected) -> Volume<u8> {
        let mut rule = detected.rule.clone();
        for threshold in rule.classes.values_mut() {
            threshold.detection_threshold *= Self::SHARE;
        }
        let candidates = detected.on_own_grid(&detected.candidates).into_iter();
        // Accepted on the prepared grid, where lesions have the sizes that the rule was chosen on.
        let accepted = candidates.filter(|(n, _)| rule.accepts(&detected.candidates[*n]));
        let lesions: Vec<_> = accepted.map(|(_, candidate)| candidate.lesion).collect();
        LabelMap::of(*detected.case.grid(), &lesions).volume().clone()
    }
}

impl NativeCalls for ModelCalls {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn calls(&self, scan: &CaseFiles) -> Result<Volume<u8>, StudyError> {
        let mut detector = self.detector.lock().unwrap_or_else(PoisonError::into_inner);
        let detected = detector.detect(scan, &mut |_, _| {})?;
        Ok(Self::called(&detected))
    }
}

#[cfg(test)]
mod tests {
    use deepmir_cases::bids;
    use deepmir_model::shipped;

    use super::*;

    #[test]
    fn what_nearly_reaches_the_thresholds_is_called_too() {
        let folder = tempfile::tempdir().unwrap();
        deepmir_testing::write_subject(folder.path(), 1);
        let scan = bids::scans(folder.path()).unwrap().remove(0);
        let mut files = CaseFiles {
            id: scan.id,
            images: scan.images,
            mask: None,
            truth: None,
            unknown: None,
            contrast: None,
        };
        let model = shipped::MODELS[0].open().unwrap();
        let native = ModelCalls::open(model, DeviceChoice::Cpu, ReadOptions::default()).unwrap();
        let calls = native.calls(&files).unwrap();
        let swi = &files.images[&deepmir_cases::Modality::Swi];
        assert!(calls.grid().same_as(deepmir_volume::nifti::read_header(swi).unwrap().grid()));

        let mut detector = native.detector.lock().unwrap();
        let detected = detector.detect(&files, &mut |_, _| {}).unwrap();
        let rule = &detector.detection().rule;
        let mut counts = [0; 3];
        for (n, candidate) in detected.on_own_grid(&detected.candidates) {
            let one = &detected.candidates[n];
            let threshold = rule.threshold(one.lesion.class).unwrap().detection_threshold;
            let called = candidate.lesion.voxels.iter().all(|&voxel| calls.data()[voxel] > 0);
            assert_eq!(called, one.score() >= ModelCalls::SHARE * threshold, "{one:?}");
            counts[0] += usize::from(called);
            counts[1] += usize::from(rule.accepts(one));
            counts[2] += 1;
        }
        assert!(counts[1] > 0 && counts[0] >= counts[1] && counts[2] > counts[0], "{counts:?}");

        drop(detector);
        // Not as a scan without lesions.
        files.images.clear();
        assert!(native.calls(&files).unwrap_err().to_string().contains("needs"));
    }
}
