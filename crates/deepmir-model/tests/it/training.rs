//! A training ends in a model on disk.

use deepmir_model::Bundle;
use deepmir_net::{Precision, Weights};

use crate::support::{training, two_folds};

#[test]
fn a_training_writes_a_model_that_says_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let folds = two_folds(folder.path());
    let mut training = training(folder.path(), &folds, 0);
    training.config.steps = 4;
    let mut steps = 0;
    let model = deepmir_model::train(&training, &mut |event| {
        if let deepmir_net::train::Event::Step { step, .. } = event {
            steps = step;
        }
    });
    let model = model.unwrap();
    assert_eq!(steps, 4);
    let read = Bundle::read(&training.output.join("model")).unwrap();
    assert_eq!(read.settings, model.settings);
    let half = model.members[0].to_safetensors(Precision::Half).unwrap();
    assert_eq!(read.members, [Weights::from_safetensors(&half).unwrap()]);
    let settings = &model.settings;
    assert_eq!((settings.name.as_str(), model.members.len()), ("test", 1));
    assert_eq!(
        (&settings.plan, settings.architecture.as_ref()),
        (&training.plan, Some(&training.architecture))
    );
    assert!(settings.candidate_classifier.is_none() && settings.patch_classifier.is_none());
    let provenance = &settings.provenance;
    assert_eq!(provenance.training_subjects, ["sub-04", "sub-05", "sub-06", "sub-12"]);
    assert_eq!(provenance.validation_subjects, ["sub-01", "sub-02", "sub-03"]);
    assert_eq!((provenance.data.as_str(), provenance.steps), ("synthetic balls", 4));
    let again = deepmir_model::train(&training, &mut |_| {}).unwrap();
    assert_eq!(again.settings, model.settings);
}
