//! Lesions of one class, measured and matched.

use deepmir_lesion::matching::{MatchRule, match_lesions};
use deepmir_lesion::{Lesion, LesionClass, LesionRow};

/// Lesions with their measures.
pub(crate) struct Measured<'a> {
    pub lesions: &'a [Lesion],
    pub rows: &'a [LesionRow],
}

/// Lesions of one class with their rows.
pub(crate) type OfClass<'a> = Vec<(&'a Lesion, &'a LesionRow)>;

impl<'a> Measured<'a> {
    pub(crate) fn of(&self, class: LesionClass) -> OfClass<'a> {
        let all = self.lesions.iter().zip(self.rows);
        all.filter(|(lesion, _)| lesion.class == class).collect()
    }
}

/// Which lesions of a class were matched.
pub(crate) struct Paired {
    pub truth: Vec<bool>,
    pub found: Vec<bool>,
}

impl Paired {
    pub(crate) fn new(truth: &OfClass<'_>, found: &OfClass<'_>, rule: MatchRule) -> Self {
        let lesions = |side: &OfClass<'_>| {
            side.iter().map(|(lesion, _)| (*lesion).clone()).collect::<Vec<_>>()
        };
        let (a, b) = (lesions(truth), lesions(found));
        let pairs =
            match_lesions(&a.iter().collect::<Vec<_>>(), &b.iter().collect::<Vec<_>>(), rule);
        let mut paired = Self { truth: vec![false; a.len()], found: vec![false; b.len()] };
        for pair in pairs {
            (paired.truth[pair.truth], paired.found[pair.predicted]) = (true, true);
        }
        paired
    }
}
