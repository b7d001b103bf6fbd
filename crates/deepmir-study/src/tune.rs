//! A finished model's thresholds and second look, from labelled scans that it did not learn from.

use deepmir_lesion::operating_point::{self, Adapted, Judged, LEAST_TO_TUNE, LookedAt, Tuned};
use deepmir_lesion::{DetectionRule, LabelMap, Lesion, LesionClass, lesions_of};
use deepmir_net::bundle::{ModelSettings, Provenance};
use deepmir_net::{Bundle, CaseFiles, NetError};
use deepmir_volume::components::Connectivity;

use crate::StudyError;
use crate::predict::Predictor;

/// Chooses the thresholds of a model's classes on scans, each judged as any new one is
/// ([`operating_point::tune`]); networks, second and closer look stay. `data` says in words what the scans are;
/// `progress` hears how many are done. The model with the new thresholds, and what each was and is.
///
/// # Errors
/// As [`Predictor::predict`]; a scan without a label map; no class with enough lesions.
pub fn tune(
    predictor: &mut Predictor,
    cases: &[CaseFiles],
    data: &str,
    beta: f64,
    progress: &mut dyn FnMut(usize),
) -> Result<(Bundle, Vec<Tuned>), StudyError> {
    // Known before minutes of judging.
    let truths = truths(cases)?;
    let lesions = count(predictor, &truths);
    if lesions.iter().all(|&(_, count)| count < LEAST_TO_TUNE) {
        return Err(StudyError::TooFewLesions { lesions, least: LEAST_TO_TUNE });
    }
    let looked_at = looked_at(predictor, cases, truths, progress)?;
    let judged: Vec<Judged> = looked_at.into_iter().map(|one| one.judged).collect();
    let mut rule = predictor.bundle().settings.detection.clone();
    let tuned = operating_point::tune(&rule, &judged, beta);
    rule.take_peaks(&tuned);
    let data = format!("thresholds: {data}");
    Ok((changed(predictor.bundle(), rule, &data, cases, &tuned)?, tuned))
}

/// Has a model's second look go on learning from scans and chooses thresholds for it
/// ([`operating_point::adapt`]); networks and closer look stay. It learns from the images that the scans have: what it says
/// of others, without QSM perhaps, is learned from none. Otherwise as [`tune`].
///
/// # Errors
/// As [`Predictor::predict`]; a scan without a label map; a model without a second look; fewer than two scans, or none with
/// a lesion.
pub fn adapt(
    predictor: &mut Predictor,
    cases: &[CaseFiles],
    data: &str,
    beta: f64,
    progress: &mut dyn FnMut(usize),
) -> Result<(Bundle, Adapted), StudyError> {
    if predictor.bundle().settings.detection.second_look.is_none() {
        let reason = "the model takes no second look that could go on learning: models of train --folds do; \
                      model tune chooses thresholds of any";
        return Err(NetError::Config { reason: reason.to_owned() }.into());
    }
    let truths = truths(cases)?;
    let lesions = count(predictor, &truths);
    if cases.len() < 2 || lesions.iter().all(|&(_, count)| count == 0) {
        return Err(StudyError::TooLittleToAdapt { scans: cases.len(), lesions });
    }
    let looked_at = looked_at(predictor, cases, truths, progress)?;
    let adapted = operating_point::adapt(&predictor.bundle().settings.detection, &looked_at, beta)
        .ok_or(StudyError::TooLittleToAdapt { scans: cases.len(), lesions })?;
    let data = format!("second look: {data}");
    let rule = adapted.rule.clone();
    Ok((changed(predictor.bundle(), rule, &data, cases, &adapted.classes)?, adapted))
}

fn looked_at(
    predictor: &mut Predictor,
    cases: &[CaseFiles],
    truths: Vec<Vec<Lesion>>,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<LookedAt>, StudyError> {
    let each = cases.iter().zip(truths).enumerate().map(|(n, (case, truth))| {
        let looked_at = predictor.looked_at(case, truth)?;
        progress(n + 1);
        Ok(looked_at)
    });
    each.collect()
}

/// A model with another rule, and where that comes from.
fn changed(
    model: &Bundle,
    rule: DetectionRule,
    data: &str,
    cases: &[CaseFiles],
    classes: &[Tuned],
) -> Result<Bundle, StudyError> {
    let Bundle { settings, members, closer } = model.clone();
    let chosen: Vec<&Tuned> = classes.iter().filter(|class| class.chosen()).collect();
    let f1: Vec<f64> = chosen.iter().filter_map(|class| class.after.f1(class.lesions)).collect();
    let known = settings.provenance;
    let names = cases.iter().map(|case| case.id.clone());
    let provenance = Provenance {
        data: format!("{}; {data}", known.data),
        validation_subjects: known.validation_subjects.into_iter().chain(names).collect(),
        validation_f1: match f1.len() {
            0 => known.validation_f1,
            count => f1.iter().sum::<f64>() / count as f64,
        },
        ..known
    };
    let settings = ModelSettings { detection: rule, provenance, ..settings };
    Ok(Bundle::with_closer_look(settings, members, closer)?)
}

/// Lesions of each class that the model tells.
fn count(predictor: &Predictor, truths: &[Vec<Lesion>]) -> Vec<(LesionClass, usize)> {
    let count = |class| truths.iter().flatten().filter(|lesion| lesion.class == class).count();
    let classes = predictor.bundle().settings.detection.classes.keys();
    classes.map(|&class| (class, count(class))).collect()
}

fn truths(cases: &[CaseFiles]) -> Result<Vec<Vec<Lesion>>, StudyError> {
    cases.iter().map(true_lesions).collect()
}

fn true_lesions(case: &CaseFiles) -> Result<Vec<Lesion>, StudyError> {
    let Some(truth) = &case.truth else {
        return Err(StudyError::Subjects { reason: format!("{} has no label map", case.id) });
    };
    Ok(lesions_of(&LabelMap::read(truth)?.0, Connectivity::TwentySix))
}
