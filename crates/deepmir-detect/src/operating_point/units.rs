//! Which subjects belong together in every cross-validation.

use std::collections::BTreeMap;

/// The unit of each subject, counted from 0 in their order: subjects of one group are one unit, a subject without a group
/// is one alone. Without groups they are the subjects' own places.
pub fn units<'a>(groups: impl IntoIterator<Item = Option<&'a str>>) -> Vec<usize> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let mut count = 0;
    let mut next = || {
        count += 1;
        count - 1
    };
    let each = groups.into_iter().map(|group| match group {
        Some(group) => *known.entry(group).or_insert_with(&mut next),
        None => next(),
    });
    each.collect()
}

/// The number of units.
pub(super) fn count(units: &[usize]) -> usize {
    units.iter().max().map_or(0, |last| last + 1)
}

#[test]
fn visits_of_one_patient_are_one_unit() {
    let groups = [Some("b"), None, Some("a"), Some("b"), None, Some("a")];
    assert_eq!(units(groups), [0, 1, 2, 0, 3, 2]);
    assert_eq!(units([None; 3]), [0, 1, 2]);
    assert_eq!((count(&units(groups)), count(&[])), (4, 0));
}
