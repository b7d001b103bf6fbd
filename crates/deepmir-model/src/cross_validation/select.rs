//! Selecting the detection of the joined model: a new one, or the fine-tuned one of the initial model.

use deepmir_detect::DetectionRule;
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
    /// Its candidate threshold, which is kept.
    pub kept: Option<CandidateThreshold>,
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

    /// A candidate classifier fitted to the subjects, with a patch classifier trained on them where there are lesions enough
    /// (from the weights of the known model's, if it is of the same kind), else that of the known model. The candidate
    /// threshold of a known model is kept: to try all of them takes as long as everything else together.
    fn new_detection(
        &self,
        subjects: &mut [ValidationSubject],
        images: &[StoredImages],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Selected, ModelError> {
        let Self { plan, known, kept, config } = *self;
        let (classes, beta) = (&plan.classes, config.threshold_beta);
        let find = |rule: &DetectionRule| CandidateThreshold::find(rule.candidate_threshold);
        let (threshold, mut point) = match kept {
            Some(threshold) => (threshold, None),
            None => {
                let point = operating_point::choose(subjects, classes, beta);
                (find(&point.detection.rule)?, Some(point))
            }
        };
        let trees = |point: &OperatingPoint| point.detection.classifier.is_some();
        let (mut patch_classifier, mut patch_members, mut source) =
            (None, Vec::new(), String::new());
        if let Some(settings) = &config.patch_classifier
            && point.as_ref().is_none_or(trees)
        {
            let same = |model: &&Bundle| {
                let known = model.settings.patch_classifier.as_ref();
                known.is_some_and(|known| {
                    known.architecture(plan) == settings.settings().architecture(plan)
                })
            };
            let start = known.filter(same).map_or(&[][..], |model| &model.patch_members);
            let seed = config.seed;
            let training =
                PatchClassifierTraining { plan, threshold, config: settings, start, seed };
            let mut steps = |step, of| progress(Progress::PatchClassifier { step, of });
            patch_members = training.run(subjects, images, &mut steps)?;
            if !patch_members.is_empty() {
                patch_classifier = Some(settings.settings());
            } else if let Some(model) = known
                && let Some(classifier) = model.patch_classifier()?
            {
                score_with(&classifier, threshold, subjects, images)?;
                patch_classifier.clone_from(&model.settings.patch_classifier);
                patch_members.clone_from(&model.patch_members);
                source = format!("; patch classifier of {}", model.settings.name);
            }
        }
        let chosen = match point.take() {
            Some(point) if patch_classifier.is_none() => point,
            _ => operating_point::choose_at(threshold, subjects, classes, beta),
        };
        if !trees(&chosen) {
            // The scores of a patch classifier are nothing without the trees.
            (patch_classifier, patch_members, source) = (None, Vec::new(), String::new());
        }
        Ok(Selected { point: chosen, patch_classifier, patch_members, source })
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
