//! A finished model's thresholds, chosen anew on labelled scans that it did not learn from.

use deepmir_lesion::operating_point::{self, Judged, LEAST_TO_TUNE, Tuned};
use deepmir_lesion::{LabelMap, Lesion, lesions_of};
use deepmir_net::bundle::{ModelSettings, Provenance};
use deepmir_net::{Bundle, CaseFiles};
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
    let truths = cases.iter().map(true_lesions).collect::<Result<Vec<_>, _>>()?;
    let count = |class| truths.iter().flatten().filter(|lesion| lesion.class == class).count();
    let classes = predictor.bundle().settings.detection.classes.keys();
    let lesions: Vec<_> = classes.map(|&class| (class, count(class))).collect();
    if lesions.iter().all(|&(_, count)| count < LEAST_TO_TUNE) {
        return Err(StudyError::TooFewLesions { lesions, least: LEAST_TO_TUNE });
    }
    let mut judged = Vec::with_capacity(cases.len());
    for (n, (case, truth)) in cases.iter().zip(truths).enumerate() {
        judged.push(Judged { truth, candidates: predictor.candidates(case)? });
        progress(n + 1);
    }
    let Bundle { settings, members, closer } = predictor.bundle().clone();
    let tuned = operating_point::tune(&settings.detection, &judged, beta);
    let chosen: Vec<&Tuned> = tuned.iter().filter(|class| class.chosen()).collect();
    let f1: Vec<f64> = chosen.iter().filter_map(|class| class.after.f1(class.lesions)).collect();
    let mut detection = settings.detection;
    for Tuned { class, after, .. } in &tuned {
        if let Some(threshold) = detection.classes.get_mut(class) {
            threshold.peak = after.peak;
        }
    }
    let known = settings.provenance;
    let names = cases.iter().map(|case| case.id.clone());
    let provenance = Provenance {
        data: format!("{}; thresholds: {data}", known.data),
        validation_subjects: known.validation_subjects.into_iter().chain(names).collect(),
        validation_f1: f1.iter().sum::<f64>() / f1.len() as f64,
        ..known
    };
    let settings = ModelSettings { detection, provenance, ..settings };
    Ok((Bundle::with_closer_look(settings, members, closer)?, tuned))
}

fn true_lesions(case: &CaseFiles) -> Result<Vec<Lesion>, StudyError> {
    let Some(truth) = &case.truth else {
        return Err(StudyError::Subjects { reason: format!("{} has no label map", case.id) });
    };
    Ok(lesions_of(&LabelMap::read(truth)?.0, Connectivity::TwentySix))
}
