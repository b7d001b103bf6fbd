//! The content of `model.toml`.

use std::collections::BTreeMap;

use deepmir_cases::{CaseFiles, Checksums, Contrast};
use deepmir_detect::{CandidateClassifier, Detection, DetectionRule};
use deepmir_net::architecture::Output;
use deepmir_net::patch_classifier::PatchClassifierSettings;
use deepmir_net::{Architecture, NetError, Plan, WeightFile};
use deepmir_onnx::NetworkLayout;
use serde::{Deserialize, Serialize};

use super::InputsOperatingPoint;
use crate::{ModelError, TrainingRange, imported};

/// The version of the format that this program writes. It also reads versions 2 and 3, and version 1 without a candidate
/// classifier.
pub const FORMAT: u32 = 4;

/// The content of `model.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// Version of the format.
    pub format: u32,
    /// The model's name, one word.
    pub name: String,
    /// A description in a sentence or two.
    pub description: String,
    /// Terms of use, as an SPDX expression.
    pub licence: String,
    /// Preprocessing, inputs and classes.
    pub plan: Plan,
    /// The architecture of the networks; none of imported ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// How imported networks take images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onnx: Option<NetworkLayout>,
    /// When a region of the probability maps is a lesion.
    pub detection: DetectionRule,
    /// The classifier that scores candidates, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate_classifier: Option<CandidateClassifier>,
    /// Thresholds and calibration of scans with one set of images, in place of those of `detection`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operating_points: Vec<InputsOperatingPoint>,
    /// What the images in the place of the SWI showed that it learned from.
    #[serde(default = "swi_alone", skip_serializing_if = "is_swi_alone")]
    pub contrasts: Vec<Contrast>,
    /// How the model was made.
    pub provenance: Provenance,
    /// The range of scans that the model learned from, where it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_range: Option<TrainingRange>,
    /// The members' weight files.
    pub weights: Vec<WeightFile>,
    /// The networks that score the patches around candidates, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_classifier: Option<PatchClassifierSettings>,
}

/// What models learned from that do not say it.
fn swi_alone() -> Vec<Contrast> {
    vec![Contrast::Swi]
}

fn is_swi_alone(contrasts: &[Contrast]) -> bool {
    contrasts == [Contrast::Swi]
}

/// How a model was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Name and version of the program that trained it.
    pub program: String,
    /// A description of the training data.
    pub data: String,
    /// Subjects that the networks were trained on.
    pub training_subjects: Vec<String>,
    /// Subjects that weights and thresholds were chosen on.
    pub validation_subjects: Vec<String>,
    /// Optimiser steps to these weights.
    pub steps: u64,
    /// Lesion F1 on the validation subjects, mean over classes, at the thresholds.
    pub validation_f1: f64,
    /// SHA-256 of the first image (the SWI, where there is one) of each scan that was learned from, so that a test on one
    /// of them is noticed under whichever name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub training_images: Vec<String>,
}

impl Provenance {
    /// The names of those of some scans that the model learned from.
    pub fn learned_from<'a>(&self, cases: &'a [CaseFiles], sums: &Checksums) -> Vec<&'a str> {
        let known = |case: &&CaseFiles| {
            sums.of_scan(case).is_some_and(|sum| self.training_images.iter().any(|own| own == sum))
        };
        cases.iter().filter(known).map(|case| case.id.as_str()).collect()
    }
}

impl ModelSettings {
    /// The architecture of the networks.
    ///
    /// # Errors
    /// Imported networks have none, and cannot be trained.
    pub fn architecture(&self) -> Result<&Architecture, ModelError> {
        self.architecture.as_ref().ok_or_else(|| ModelError::Config {
            reason: format!(
                "the networks of {} were imported and are only run: fine-tune the candidate classifier (deepmir model \
                 adapt) or train another model",
                self.name
            ),
        })
    }

    /// The rule and the candidate classifier, for scans whose set of images has no thresholds of its own.
    pub fn detection(&self) -> Detection {
        let classifier = self.candidate_classifier.clone();
        Detection { rule: self.detection.clone(), classifier, calibration: BTreeMap::new() }
    }

    /// Replaces the rule and the candidate classifier for all scans but those whose set of images has thresholds of its own.
    #[must_use]
    pub fn with_detection(self, detection: Detection) -> Self {
        let Detection { rule, classifier, .. } = detection;
        Self { detection: rule, candidate_classifier: classifier, ..self }
    }

    /// Checks that the settings are consistent.
    ///
    /// # Errors
    /// Naming what contradicts itself.
    pub(crate) fn validate(&self) -> Result<(), ModelError> {
        let Self { plan, detection, .. } = self;
        let invalid = |reason: String| Err(NetError::Config { reason }.into());
        plan.validate()?;
        if self.contrasts.is_empty() {
            return invalid("contrasts is empty; name SWI, T2starw or both".to_owned());
        }
        match (&self.architecture, &self.onnx) {
            (Some(architecture), None) => validate_architecture(architecture, plan)?,
            (None, Some(layout)) => imported::validate(layout, plan)?,
            _ => return invalid("a model has either an architecture or a table [onnx]".to_owned()),
        }
        let without = plan.classes.iter().find(|class| detection.threshold(**class).is_none());
        if let Some(class) = without {
            return invalid(format!("there is no detection threshold for {class}"));
        }
        detection.validate()?;
        self.candidate_classifier.as_ref().map_or(Ok(()), CandidateClassifier::validate)?;
        if let Some(fault) = self.operating_points_fault() {
            return invalid(fault);
        }
        self.patch_classifier.as_ref().map_or(Ok(()), PatchClassifierSettings::validate)?;
        self.training_range.as_ref().map_or(Ok(()), TrainingRange::validate)
    }
}

fn validate_architecture(architecture: &Architecture, plan: &Plan) -> Result<(), ModelError> {
    let invalid = |reason: String| Err(NetError::Config { reason }.into());
    architecture.validate()?;
    if architecture.input_channels != plan.input_channels() {
        return invalid(format!(
            "the network takes {} channels and the plan gives {}",
            architecture.input_channels,
            plan.input_channels()
        ));
    }
    let background = usize::from(architecture.output == Output::Softmax);
    if architecture.output_channels != plan.classes.len() + background {
        return invalid(format!("{} outputs do not fit the classes", architecture.output_channels));
    }
    Ok(())
}
