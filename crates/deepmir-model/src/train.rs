//! Training one network and assembling its model.

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
    let ids = |cases: &[deepmir_cases::CaseFiles]| -> Vec<String> {
        cases.iter().map(|case| case.id.clone()).collect()
    };
    let settings = ModelSettings {
        format: bundle::FORMAT,
        name: training.name.clone(),
        description: format!("Trained by {} on {}.", program(), training.data),
        licence: "NOASSERTION".to_owned(),
        plan: training.plan.clone(),
        architecture: training.architecture.clone(),
        detection: rule,
        candidate_classifier: None,
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
