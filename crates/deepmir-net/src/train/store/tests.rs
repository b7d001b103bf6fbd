//! Written, opened, damaged.

use deepmir_lesion::LesionClass;

use super::*;
use crate::prepare::tests::prepared_subject;
use crate::preset;

#[test]
fn a_stored_subject_opens_the_same_and_a_truncated_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let plan = preset::deepmir().plan;
    let (prepared, _) = prepared_subject(&plan);
    let path = folder.path().join("case");
    assert!(StoredCase::open("sub-01", &plan, &path).unwrap().is_none());
    let written = StoredCase::write(&prepared, &plan, &path).unwrap();
    let opened = StoredCase::open(&prepared.id, &plan, &path).unwrap().unwrap();
    assert_eq!(opened.lesions, written.lesions);
    assert_eq!((&opened.mimics, &opened.brain), (&written.mimics, &written.brain));
    let k = opened.lesions[0].slices[0].0;
    assert_eq!(opened.slices(k, 1).unwrap(), written.slices(k, 1).unwrap());
    let truth = prepared.truth.as_ref().unwrap();
    assert_eq!(opened.labels(k).unwrap(), truth.volume().slice(k));
    for &[i, j, k] in &opened.brain {
        assert!(prepared.brain.data()[prepared.grid().index([i, j, k])]);
    }
    // Of one class, the other's lesions are no lesions.
    let mut single = plan.clone();
    single.classes = vec![LesionClass::Nhid];
    assert_eq!(StoredCase::open("a", &single, &path).unwrap().unwrap().lesions.len(), 1);
    single.inputs.pop();
    assert!(StoredCase::open("a", &single, &path).unwrap().is_none(), "other channels");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(StoredCase::open("a", &plan, &path).unwrap().is_none(), "truncated");
}
