//! Training one network and assembling its model.

use std::collections::BTreeSet;

use deepmir_cases::{CaseFiles, Contrast};
use deepmir_net::train::{Event, Trained, Training, program};

use crate::{Bundle, ModelError, ModelSettings, Provenance, TrainingRange, bundle};

/// Trains a network with [`Training::run`] and writes its model to `model/` in the training's folder.
///
/// # Errors
/// As [`Training::run`]; a full disk.
pub fn train(training: &Training, events: &mut dyn FnMut(Event<'_>)) -> Result<Bundle, ModelError> {
    let Trained { weights, rule, steps, validation_f1, mut learned_images } =
        training.run(events)?;
    learned_images.sort();
    learned_images.dedup();
    let ids =
        |cases: &[CaseFiles]| -> Vec<String> { cases.iter().map(|case| case.id.clone()).collect() };
    let settings = ModelSettings {
        format: bundle::FORMAT,
        name: training.name.clone(),
        description: format!("Trained by {} on {}.", program(), training.data),
        licence: "NOASSERTION".to_owned(),
        plan: training.plan.clone(),
        architecture: Some(training.architecture.clone()),
        onnx: None,
        detection: rule,
        candidate_classifier: None,
        operating_points: Vec::new(),
        contrasts: contrasts(training),
        provenance: Provenance {
            program: program(),
            data: training.data.clone(),
            training_subjects: [ids(&training.training), ids(&training.extra_training)].concat(),
            validation_subjects: ids(&training.validation),
            steps,
            validation_f1,
            training_images: learned_images,
        },
        // Of scans that are simulated meanwhile, nothing is left to measure.
        training_range: training.synthetic.is_none().then(|| {
            let scans = [training.training.clone(), training.extra_training.clone()].concat();
            TrainingRange::of(&scans, &training.plan.inputs, &training.read)
        }),
        weights: Vec::new(),
        patch_classifier: None,
    };
    let bundle = Bundle::new(settings, vec![weights], Vec::new())?;
    bundle.write(&training.output.join("model"))?;
    Ok(bundle)
}

/// What the images in the place of the SWI show, each once; that of simulated phantoms is SWI.
fn contrasts(training: &Training) -> Vec<Contrast> {
    let scans = training.training.iter().chain(&training.extra_training);
    let simulated = training.synthetic.as_ref().map(|_| Contrast::Swi);
    each_once(scans.map(CaseFiles::contrast).chain(simulated))
}

/// Contrasts in order, each once.
pub(crate) fn each_once(contrasts: impl Iterator<Item = Contrast>) -> Vec<Contrast> {
    contrasts.collect::<BTreeSet<_>>().into_iter().collect()
}
