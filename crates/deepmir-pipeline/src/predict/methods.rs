//! The methods paragraph of a prediction's page, for a paper.

use deepmir_cases::Modality;
use deepmir_detect::{ClassThreshold, DetectionRule};
use deepmir_lesion::LesionClass;
use deepmir_model::bundle::ModelSettings;

use super::Prediction;
use crate::program;

/// How the lesions of a scan were found.
pub(super) fn methods(settings: &ModelSettings, prediction: &Prediction, flips: bool) -> String {
    let Prediction { case, rule, operating_point, .. } = prediction;
    let plan = &settings.plan;
    let classes: Vec<&str> = plan.classes.iter().map(long_name).collect();
    let inputs = plan.inputs.iter().filter(|input| case.images.contains_key(input));
    let named = |&input: &Modality| match input {
        Modality::Swi => case.contrast.in_words(),
        other => other.name(),
    };
    let inputs: Vec<&str> = inputs.map(named).collect();
    let voxels = match plan.voxel_mm {
        Some([x, y, z]) => format!("resampled to {x} × {y} × {z} mm, "),
        None => String::new(),
    };
    let networks = match settings.weights.len() {
        0 | 1 => "a U-Net".to_owned(),
        count => format!("{count} U-Nets"),
    };
    let median = match settings.weights.len() {
        0 | 1 => "",
        _ => " The median of the networks' probabilities was taken.",
    };
    let flips = if flips { ", each run on four mirror images of every slice" } else { "" };
    let acceptance = match settings.candidate_classifier {
        Some(_) => by_classifier(settings, rule, operating_point.is_some()),
        None => by_peak(rule, &plan.classes),
    };
    format!(
        "{} were segmented with {} (model {}) from {}. Images were {voxels}cropped to the brain and \
         normalised. Stacks of {} adjacent axial slices were given to {networks} (Ronneberger et al. \
         2015) after Rashid et al. (2021, https://doi.org/10.1038/s41598-021-93427-x){flips}.{median} \
         Candidates were 26-connected regions in which the probability of a lesion reached {:.2}. \
         {acceptance}",
        capitalised(&classes.join(" and ")),
        program(),
        settings.name,
        inputs.join(", "),
        plan.context_slices,
        rule.candidate_threshold,
    )
}

/// How a candidate classifier accepts candidates.
fn by_classifier(settings: &ModelSettings, rule: &DetectionRule, is_calibrated: bool) -> String {
    let patches = match &settings.patch_classifier {
        Some(patches) => format!(
            " The log-odds of {} small 3D convolutional networks, applied to the image patch around \
             each candidate, were further features.",
            patches.weights.len()
        ),
        None => String::new(),
    };
    let calibrated =
        if is_calibrated { ", calibrated for scans with these images (Platt 1999)" } else { "" };
    format!(
        "Each was described by its size, shape, location and probabilities, and by the images inside \
         and around it.{patches} Gradient-boosted trees gave each candidate its class and its \
         probability of being a lesion{calibrated}. Candidates with a probability of at least {} were accepted as \
         lesions; a lesion's mask holds the voxels where the probability of a lesion reached {:.2}.",
        thresholds(rule, &settings.plan.classes, &|_| String::new()),
        rule.mask_threshold(),
    )
}

/// How candidates are accepted by the peak of their probability.
fn by_peak(rule: &DetectionRule, classes: &[LesionClass]) -> String {
    let sizes = |threshold: &ClassThreshold| {
        let height = match threshold.min_height_mm {
            0.0 => String::new(),
            height => format!(" and {height:.1} mm high, with half of the slices above and below"),
        };
        format!(" (at least {:.1} mm³{height})", threshold.min_volume_mm3)
    };
    format!(
        "Candidates with a peak probability of at least {} were accepted as lesions and given the \
         class of the higher probability.",
        thresholds(rule, classes, &sizes)
    )
}

/// `0.50 for CMB and 0.40 for NHID`.
fn thresholds(
    rule: &DetectionRule,
    classes: &[LesionClass],
    sizes: &dyn Fn(&ClassThreshold) -> String,
) -> String {
    let each = classes.iter().filter_map(|&class| {
        let threshold = rule.threshold(class)?;
        let probability = threshold.detection_threshold;
        Some(format!("{probability:.2} for {}{}", class.name(), sizes(&threshold)))
    });
    each.collect::<Vec<_>>().join(" and ")
}

fn long_name(class: &LesionClass) -> &'static str {
    match class {
        LesionClass::Cmb => "cerebral microbleeds (CMB)",
        LesionClass::Nhid => "non-hemorrhage iron deposits (NHID)",
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
