//! Selecting the detection of the joined model: a new one, or the fine-tuned one of the initial model.

use deepmir_detect::operating_point::{
    self, CandidateThreshold, OperatingPoint, ValidationSubject,
};
use deepmir_net::patch_classifier::PatchClassifierSettings;
use deepmir_net::train::TrainingConfig;
use deepmir_net::{Plan, Weights};

use super::Progress;
use super::patches::{PatchClassifierTraining, StoredImages, score_with};
use crate::{Bundle, ModelError};

/// The choice between a new detection and a fine-tuned one.
#[derive(Clone, Copy)]
pub(super) struct Selection<'a> {
    pub plan: &'a Plan,
    /// The model that training was initialised from, if it takes the same images.
    pub known: Option<&'a Bundle>,
    pub config: &'a TrainingConfig,
}

/// What was selected.
pub(super) struct Selected {
    pub point: OperatingPoint,
    pub patch_classifier: Option<PatchClassifierSettings>,
    pub patch_members: Vec<Weights>,
    /// For the provenance: what was taken from the initial model.
    pub source: String,
}

impl Selection<'_> {
    /// The detection with the higher mean F1 on the subjects.
    pub fn run(
        &self,
        subjects: &mut [ValidationSubject],
        images: &[StoredImages],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Selected, ModelError> {
        // Independently: trees must not learn from the log-odds of another model's patch classifier.
        let warm_started = self.warm_started(subjects, images)?;
        let new = self.new_detection(subjects, images, progress)?;
        Ok(match warm_started {
            Some(warm) if warm.point.mean_f1() >= new.point.mean_f1() => warm,
            _ => new,
        })
    }

    /// A candidate classifier fitted to the subjects, with a patch classifier trained on them where there are lesions enough,
    /// else that of the known model.
    fn new_detection(
        &self,
        subjects: &mut [ValidationSubject],
        images: &[StoredImages],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Selected, ModelError> {
        let Self { plan, known, config } = *self;
        let beta = config.threshold_beta;
        let point = operating_point::choose(subjects, &plan.classes, beta);
        let mut selected = Selected {
            point,
            patch_classifier: None,
            patch_members: Vec::new(),
            source: String::new(),
        };
        let Some(settings) = &config.patch_classifier else { return Ok(selected) };
        if selected.point.detection.classifier.is_none() {
            return Ok(selected);
        }
        let threshold =
            CandidateThreshold::find(selected.point.detection.rule.candidate_threshold)?;
        let training =
            PatchClassifierTraining { plan, threshold, config: settings, seed: config.seed };
        let mut steps = |step, of| progress(Progress::PatchClassifier { step, of });
        selected.patch_members = training.run(subjects, images, &mut steps)?;
        if !selected.patch_members.is_empty() {
            selected.patch_classifier = Some(settings.settings());
        } else if let Some(model) = known
            && let Some(classifier) = model.patch_classifier()?
        {
            score_with(&classifier, threshold, subjects, images)?;
            selected.patch_classifier.clone_from(&model.settings.patch_classifier);
            selected.patch_members.clone_from(&model.patch_members);
            selected.source = format!("; patch classifier of {}", model.settings.name);
        }
        if selected.patch_classifier.is_some() {
            selected.point = operating_point::choose_at(threshold, subjects, &plan.classes, beta);
        }
        Ok(selected)
    }

    /// The known model's candidate classifier, fine-tuned, with its patch classifier as it is.
    fn warm_started(
        &self,
        subjects: &[ValidationSubject],
        images: &[StoredImages],
    ) -> Result<Option<Selected>, ModelError> {
        let Self { config, .. } = *self;
        let Some(model) = self.known.filter(|_| config.candidate_classifier) else {
            return Ok(None);
        };
        let detection = model.settings.detection();
        if detection.classifier.is_none() {
            return Ok(None);
        }
        let mut subjects = subjects.to_vec();
        if let Some(classifier) = model.patch_classifier()? {
            let threshold = CandidateThreshold::find(detection.rule.candidate_threshold)?;
            score_with(&classifier, threshold, &mut subjects, images)?;
        }
        let point = operating_point::warm_started(&detection, &subjects, config.threshold_beta)?;
        Ok(point.map(|point| Selected {
            point,
            patch_classifier: model.settings.patch_classifier.clone(),
            patch_members: model.patch_members.clone(),
            source: format!("; candidate classifier of {}", model.settings.name),
        }))
    }
}
