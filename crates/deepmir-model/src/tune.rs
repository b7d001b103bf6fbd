//! Tuning a finished model's thresholds and adapting its candidate classifier to labelled scans that it did not learn from.

use std::collections::{BTreeMap, BTreeSet};

use deepmir_cases::{CaseFiles, Groups};
use deepmir_detect::Detection;
use deepmir_detect::operating_point::{
    self, Adapted, MIN_LESIONS_TO_TUNE, MeasuredSubject, ScoredSubject, ThresholdChoice,
    TunedThreshold,
};
use deepmir_lesion::{LabelMap, Lesion, LesionClass, lesions_of};
use deepmir_volume::components::Connectivity;
use deepmir_volume::nifti::ReadOptions;

use crate::bundle::inputs_of_files;
use crate::train::each_once;
use crate::training_range::{self, Measure, TrainingRange};
use crate::{Bundle, Detector, ModelError, ModelSettings, Provenance};

/// The old and new thresholds for the scans with one set of images.
#[derive(Clone, Debug, PartialEq)]
pub struct TunedInputs {
    /// The images, where the model has thresholds for just these; `None` for the others of its scans.
    pub images: Option<Vec<String>>,
    /// How many scans have them.
    pub scans: usize,
    /// The thresholds of each class.
    pub classes: Vec<TunedThreshold>,
}

/// Chooses the detection thresholds of a model's classes on scans, each scored as a new one would be
/// ([`operating_point::tune`]); networks and classifiers stay as they are. Where the model has thresholds for the set of
/// images of some scans, these are chosen on those scans, and their calibration is fitted anew
/// ([`operating_point::for_inputs`]). `data` describes the scans, for the
/// provenance; `progress` is called with the number of scans done. Returns the model with the new thresholds, and the
/// old and new ones.
///
/// # Errors
/// As [`Detector::detect`]; a scan without a label map; no class with enough lesions.
pub fn tune(
    detector: &mut Detector,
    cases: &[CaseFiles],
    data: &str,
    beta: f64,
    progress: &mut dyn FnMut(usize),
) -> Result<(Bundle, Vec<TunedInputs>), ModelError> {
    // Refused before minutes of detection.
    let truths = truths(cases)?;
    let lesions = count(detector, &truths);
    if lesions.iter().all(|&(_, count)| count < MIN_LESIONS_TO_TUNE) {
        return Err(ModelError::TooFewLesions { lesions, least: MIN_LESIONS_TO_TUNE });
    }
    let measured = measure_all(detector, cases, truths, progress)?;
    let mut by_point: BTreeMap<Option<usize>, Vec<ScoredSubject>> = BTreeMap::new();
    for (case, measured) in cases.iter().zip(measured) {
        let inputs = inputs_of_files(case, &detector.bundle().settings.plan, &[]);
        let images: Vec<&str> = inputs.split('+').collect();
        let points = &detector.bundle().settings.operating_points;
        let point = points.iter().position(|point| point.is_of(&images));
        by_point.entry(point).or_default().push(measured.scored);
    }
    let mut model = detector.bundle().clone();
    let mut tuned = Vec::new();
    for (point, scored) in &by_point {
        let (images, classes) = match point {
            Some(point) => {
                let point = &mut model.settings.operating_points[*point];
                let detection = Detection {
                    rule: point.rule(&detector.detection().rule),
                    ..detector.detection().clone()
                };
                let chosen = operating_point::for_inputs(&detection, scored, beta);
                point.refine(&chosen);
                (Some(point.images.clone()), chosen.iter().map(|one| one.threshold).collect())
            }
            None => {
                let classes = operating_point::tune(detector.detection(), scored, beta);
                model.settings.detection.set_detection_thresholds(&classes);
                (None, classes)
            }
        };
        tuned.push(TunedInputs { images, scans: scored.len(), classes });
    }
    let data = format!("thresholds: {data}");
    let classes: Vec<TunedThreshold> =
        tuned.iter().flat_map(|one| one.classes.iter().copied()).collect();
    let detection = model.settings.detection();
    Ok((changed(&model, detection, &data, cases, &classes, &detector.read)?, tuned))
}

/// Fine-tunes a model's candidate classifier on scans, or fits its first one, and chooses thresholds for it as `choice` says
/// ([`operating_point::adapt`]); networks
/// and patch classifier stay as they are. It learns from the images that the scans have: scans without QSM, say, are not
/// simulated. Thresholds and calibration by set of images belong to the old trees: the scans are scored without them, and
/// they are left out of the result, whose thresholds hold for every scan, unless the model is kept as it is.
/// Subjects of one of the `groups` are one in the cross-validation. Otherwise as [`tune`].
///
/// # Errors
/// As [`Detector::detect`]; a scan without a label map; fewer than two scans, or none with a lesion.
pub fn adapt(
    detector: &mut Detector,
    cases: &[CaseFiles],
    data: &str,
    choice: ThresholdChoice,
    groups: &Groups,
    progress: &mut dyn FnMut(usize),
) -> Result<(Bundle, Adapted), ModelError> {
    let truths = truths(cases)?;
    let lesions = count(detector, &truths);
    let patients: BTreeSet<String> = cases.iter().map(|case| groups.of_scan(&case.id)).collect();
    if patients.len() < 2 || lesions.iter().all(|&(_, count)| count == 0) {
        return Err(ModelError::TooLittleToAdapt { scans: patients.len(), lesions });
    }
    detector.want_features();
    let points = detector.without_operating_points();
    let mut measured = measure_all(detector, cases, truths, progress)?;
    for (subject, case) in measured.iter_mut().zip(cases) {
        subject.group = Some(groups.of_scan(&case.id));
    }
    let adapted = operating_point::adapt(detector.detection(), &measured, choice);
    let too_little = || match detector.detection().classifier {
        Some(_) => ModelError::TooLittleToAdapt { scans: patients.len(), lesions },
        None => nothing_to_tell_apart(detector, &measured),
    };
    let adapted = adapted.ok_or_else(too_little)?;
    let data = format!("candidate classifier: {data}");
    let detection = adapted.detection.clone();
    let mut model = detector.bundle().clone();
    if detection == *detector.detection() {
        model.settings.operating_points = points;
    }
    Ok((changed(&model, detection, &data, cases, &adapted.classes, &detector.read)?, adapted))
}

/// Why a first classifier cannot be fitted.
fn nothing_to_tell_apart(detector: &Detector, measured: &[MeasuredSubject]) -> ModelError {
    let count: usize = measured.iter().map(|subject| subject.scored.candidates.len()).sum();
    let threshold = detector.detection().rule.candidate_threshold;
    let reason = format!(
        "a first candidate classifier is fitted to lesions and to what is none, both in two scans or more; the networks mark \
         {count} candidates in these {} scans at candidate_threshold {threshold}: lower it, or give more scans",
        measured.len()
    );
    ModelError::Config { reason }
}

fn measure_all(
    detector: &mut Detector,
    cases: &[CaseFiles],
    truths: Vec<Vec<Lesion>>,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<MeasuredSubject>, ModelError> {
    let each = cases.iter().zip(truths).enumerate().map(|(n, (case, truth))| {
        let measured = detector.measure(case, truth)?;
        progress(n + 1);
        Ok(measured)
    });
    each.collect()
}

/// The model with another detection, and the scans added to its provenance.
fn changed(
    model: &Bundle,
    detection: Detection,
    data: &str,
    cases: &[CaseFiles],
    classes: &[TunedThreshold],
    read: &ReadOptions,
) -> Result<Bundle, ModelError> {
    let mut settings = model.settings.clone();
    let chosen: Vec<&TunedThreshold> = classes.iter().filter(|class| class.chosen()).collect();
    let f1: Vec<f64> = chosen.iter().filter_map(|class| class.after.f1(class.lesions)).collect();
    let known = settings.provenance.clone();
    let names = cases.iter().map(|case| case.id.clone());
    settings.provenance = Provenance {
        data: format!("{}; {data}", known.data),
        validation_subjects: known.validation_subjects.into_iter().chain(names).collect(),
        validation_f1: match f1.len() {
            0 => known.validation_f1,
            count => f1.iter().sum::<f64>() / count as f64,
        },
        ..known
    };
    // Scans like these are no longer strange to it.
    let contrasts = settings.contrasts.iter().copied();
    settings.contrasts = each_once(contrasts.chain(cases.iter().map(CaseFiles::contrast)));
    if let Some(range) = &mut settings.training_range {
        range.join(&TrainingRange::of(cases, &settings.plan.inputs, read));
    }
    model.with_settings(settings.with_detection(detection))
}

/// Measures scans that a model was trained on: the model with their range.
///
/// # Errors
/// As [`Detector::detect`].
pub fn measure_range(
    detector: &mut Detector,
    cases: &[CaseFiles],
    progress: &mut dyn FnMut(usize),
) -> Result<Bundle, ModelError> {
    let mut range = TrainingRange::default();
    for (n, files) in cases.iter().enumerate() {
        let detected = detector.detect(files, &mut |_, _| {})?;
        let mut scan = training_range::measures(&detected.case, Some(files));
        let disagreement = training_range::disagreement(&detected.candidates, &detected.rule);
        scan.extend(disagreement.map(|share| (Measure::Disagreement, share)));
        range.add(&scan);
        progress(n + 1);
    }
    let model = detector.bundle();
    model.with_settings(ModelSettings { training_range: Some(range), ..model.settings.clone() })
}

/// Lesions of each class that the model predicts.
fn count(detector: &Detector, truths: &[Vec<Lesion>]) -> Vec<(LesionClass, usize)> {
    let count = |class| truths.iter().flatten().filter(|lesion| lesion.class == class).count();
    let classes = detector.bundle().settings.detection.classes.keys();
    classes.map(|&class| (class, count(class))).collect()
}

fn truths(cases: &[CaseFiles]) -> Result<Vec<Vec<Lesion>>, ModelError> {
    cases.iter().map(true_lesions).collect()
}

fn true_lesions(case: &CaseFiles) -> Result<Vec<Lesion>, ModelError> {
    let Some(truth) = &case.truth else {
        return Err(ModelError::Subjects { reason: format!("{} has no label map", case.id) });
    };
    Ok(lesions_of(&LabelMap::read(truth)?.0, Connectivity::TwentySix))
}
