//! Thresholds and calibration by the set of images that a scan has.

use std::collections::BTreeMap;

use deepmir_cases::{Case, CaseFiles, Contrast, Modality};
use deepmir_detect::candidate_classifier::Calibration;
use deepmir_detect::operating_point::{CalibratedThreshold, TunedForInputs};
use deepmir_detect::{Detection, DetectionRule};
use deepmir_lesion::LesionClass;
use deepmir_net::Plan;
use serde::{Deserialize, Serialize};

use super::ModelSettings;

/// What holds for scans with one set of images, in place of the model's own thresholds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputsOperatingPoint {
    /// The images, by name: those of the plan's inputs, where a T2*-weighted magnitude in the place of the SWI is `T2starw`.
    pub images: Vec<String>,
    /// The classes that have thresholds of their own; the others have the model's.
    pub classes: BTreeMap<LesionClass, CalibratedThreshold>,
}

impl InputsOperatingPoint {
    /// Of images as [`inputs_of_files`] joins them.
    pub(crate) fn new(inputs: &str, classes: BTreeMap<LesionClass, CalibratedThreshold>) -> Self {
        Self { images: inputs.split('+').map(str::to_owned).collect(), classes }
    }

    pub(crate) fn is_of(&self, images: &[&str]) -> bool {
        self.images.len() == images.len() && images.iter().all(|image| self.has(image))
    }

    fn has(&self, image: &str) -> bool {
        self.images.iter().any(|own| own == image)
    }

    /// The model's rule with these thresholds.
    pub fn rule(&self, rule: &DetectionRule) -> DetectionRule {
        let mut rule = rule.clone();
        for (class, own) in &self.classes {
            if let Some(threshold) = rule.classes.get_mut(class) {
                threshold.detection_threshold = own.detection_threshold;
            }
        }
        rule
    }

    /// The calibration of each class.
    pub fn calibration(&self) -> BTreeMap<LesionClass, Calibration> {
        self.classes.iter().map(|(&class, own)| (class, own.calibration)).collect()
    }

    /// Takes over thresholds that were chosen on calibrated scores, and calibrates these once more; those of classes with too
    /// few lesions stay.
    pub(crate) fn refine(&mut self, chosen: &[TunedForInputs]) {
        for one in chosen.iter().filter(|one| one.threshold.chosen()) {
            let mut next = one.calibrated();
            if let Some(own) = self.classes.get(&one.threshold.class) {
                next.calibration = own.calibration.then(next.calibration);
            }
            self.classes.insert(one.threshold.class, next);
        }
    }

    /// What is wrong with it.
    fn fault(&self, settings: &ModelSettings) -> Option<String> {
        let ModelSettings { plan, contrasts, detection, candidate_classifier, .. } = settings;
        let images = self.images.join(", ");
        let refused =
            |reason: String| Some(format!("operating_points of images {images}: {reason}"));
        if candidate_classifier.is_none() {
            return refused(
                "there is no candidate_classifier, whose scores they are for".to_owned(),
            );
        }
        let known: Vec<&str> =
            contrasts.iter().flat_map(|&contrast| names(plan, contrast, |_| true)).collect();
        let strange = self.images.iter().find(|image| !known.contains(&image.as_str()));
        if let Some(strange) = strange {
            return refused(format!("{strange:?} is none of the model's ({})", known.join(", ")));
        }
        let one_set = contrasts.iter().any(|&contrast| {
            let there = |modality| self.has(name(modality, contrast));
            let needed = plan.inputs.iter().all(|&input| !plan.needs(input) || there(input));
            needed && self.is_of(&names(plan, contrast, there))
        });
        if !one_set {
            return refused("a scan cannot have these; name each image once".to_owned());
        }
        if let Some(class) =
            self.classes.keys().find(|class| detection.threshold(**class).is_none())
        {
            return refused(format!("the model does not predict {class}"));
        }
        let validated = self.classes.values().find_map(|own| own.validate().err());
        validated.and_then(|error| refused(error.to_string()))
    }
}

impl ModelSettings {
    /// What holds for scans with some images ([`inputs_of`]) in place of the model's thresholds, if they have their own.
    pub fn operating_point(&self, images: &[&str]) -> Option<&InputsOperatingPoint> {
        self.operating_points.iter().find(|point| point.is_of(images))
    }

    /// Rule, candidate classifier and calibration for scans with some images.
    pub fn detection_of(&self, images: &[&str]) -> Detection {
        let all = self.detection();
        match self.operating_point(images) {
            Some(point) => {
                Detection { rule: point.rule(&all.rule), calibration: point.calibration(), ..all }
            }
            None => all,
        }
    }

    /// With the operating points of images that the model learned from.
    #[must_use]
    pub(crate) fn with_operating_points(
        mut self,
        points: impl Iterator<Item = InputsOperatingPoint>,
    ) -> Self {
        self.operating_points = points.filter(|point| point.fault(&self).is_none()).collect();
        self
    }

    /// What is wrong with the operating points.
    pub(super) fn operating_points_fault(&self) -> Option<String> {
        let points = &self.operating_points;
        let twice = points.iter().enumerate().find(|(n, point)| {
            let images: Vec<&str> = point.images.iter().map(String::as_str).collect();
            points[..*n].iter().any(|other| other.is_of(&images))
        });
        if let Some((_, point)) = twice {
            return Some(format!("operating_points has images {} twice", point.images.join(", ")));
        }
        points.iter().find_map(|point| point.fault(self))
    }
}

/// The names of the images of a scan that a plan uses, in its order.
pub fn inputs_of(case: &Case, plan: &Plan) -> Vec<&'static str> {
    names(plan, case.contrast, |modality| case.images.contains_key(&modality))
}

/// As [`inputs_of`], of files; joined by `+`.
pub fn inputs_of_files(files: &CaseFiles, plan: &Plan, missing: &[Modality]) -> String {
    let there = |modality| files.images.contains_key(&modality) && !missing.contains(&modality);
    names(plan, files.contrast(), there).join("+")
}

fn names(plan: &Plan, contrast: Contrast, there: impl Fn(Modality) -> bool) -> Vec<&'static str> {
    let inputs = plan.inputs.iter().filter(|input| there(**input));
    inputs.map(|&input| name(input, contrast)).collect()
}

fn name(modality: Modality, contrast: Contrast) -> &'static str {
    match modality {
        Modality::Swi => contrast.name(),
        other => other.name(),
    }
}
