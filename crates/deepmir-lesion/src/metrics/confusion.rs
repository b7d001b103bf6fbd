//! Which class was taken for which.

use serde::Serialize;

use crate::matching::{MatchRule, match_lesions};
use crate::{Lesion, LesionClass};

/// Lesions by true and predicted class, background included: the point of telling CMB from NHID.
/// Pairs are made regardless of class, so a microbleed called a deposit shows here as that, where
/// the class's own counts show one missed and one false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// `counts[t][p]`: true class `t` taken for `p`; 0 is background (nothing there, or missed),
    /// 1 CMB, 2 NHID. `counts[0][0]` stays 0.
    pub counts: [[usize; 3]; 3],
}

impl Confusion {
    /// Lesions of a true class that were taken for another (`None` is background).
    pub fn count(&self, truth: Option<LesionClass>, predicted: Option<LesionClass>) -> usize {
        let at = |class: Option<LesionClass>| class.map_or(0, |class| usize::from(class.label()));
        self.counts[at(truth)][at(predicted)]
    }

    /// Adds another subject's counts.
    pub fn add(&mut self, other: &Self) {
        for (row, other) in self.counts.iter_mut().zip(&other.counts) {
            row.iter_mut().zip(other).for_each(|(count, other)| *count += other);
        }
    }
}

pub(super) fn of(truth: &[&Lesion], predicted: &[&Lesion], rule: MatchRule) -> Confusion {
    let at = |lesion: &Lesion| usize::from(lesion.class.label());
    let mut confusion = Confusion::default();
    let (mut missed, mut false_positive) = (vec![true; truth.len()], vec![true; predicted.len()]);
    for pair in match_lesions(truth, predicted, rule) {
        confusion.counts[at(truth[pair.truth])][at(predicted[pair.predicted])] += 1;
        missed[pair.truth] = false;
        false_positive[pair.predicted] = false;
    }
    for (lesion, _) in truth.iter().zip(missed).filter(|(_, missed)| *missed) {
        confusion.counts[at(lesion)][0] += 1;
    }
    for (lesion, _) in predicted.iter().zip(false_positive).filter(|(_, alone)| *alone) {
        confusion.counts[0][at(lesion)] += 1;
    }
    confusion
}
