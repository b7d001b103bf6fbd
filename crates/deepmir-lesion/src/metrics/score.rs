//! One subject: counts, volumes, overlap.

use std::collections::{BTreeMap, HashSet};

use deepmir_volume::components::Connectivity;
use serde::Serialize;

use super::size::{SIZE_CLASSES, SizeCounts, size_class};
use super::{Confusion, confusion};
use crate::matching::{MatchRule, match_lesions};
use crate::{LabelMap, Lesion, LesionClass, lesions_of};

/// One class of one subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassScore {
    /// The class.
    pub class: LesionClass,
    /// True lesions.
    pub truth: usize,
    /// Predicted lesions.
    pub predicted: usize,
    /// Pairs.
    pub matched: usize,
    /// Predicted lesions that count nowhere, as nobody knows whether they are lesions.
    pub left_out: usize,
    /// Volume of the true lesions.
    pub truth_volume_mm3: f64,
    /// Volume of the predicted lesions.
    pub predicted_volume_mm3: f64,
    /// Volume of their intersection.
    pub shared_volume_mm3: f64,
    /// By size, in the order of [`SIZE_CLASSES`].
    pub by_size: [SizeCounts; SIZE_CLASSES.len()],
}

impl ClassScore {
    /// Predicted lesions that match no true one.
    pub fn false_positives(&self) -> usize {
        self.predicted - self.matched
    }

    /// True lesions that no predicted one matches.
    pub fn missed(&self) -> usize {
        self.truth - self.matched
    }

    /// Matched over true lesions.
    pub fn sensitivity(&self) -> Option<f64> {
        (self.truth > 0).then(|| self.matched as f64 / self.truth as f64)
    }

    /// Matched over predicted lesions.
    pub fn precision(&self) -> Option<f64> {
        (self.predicted > 0).then(|| self.matched as f64 / self.predicted as f64)
    }

    /// Harmonic mean of sensitivity and precision; undefined without true lesions.
    pub fn f1(&self) -> Option<f64> {
        let lesions = self.truth + self.predicted;
        (self.truth > 0).then(|| 2.0 * self.matched as f64 / lesions as f64)
    }

    /// Overlap of the voxels, twice the shared volume over the sum; undefined without true lesions.
    pub fn dice(&self) -> Option<f64> {
        let sum = self.truth_volume_mm3 + self.predicted_volume_mm3;
        (self.truth > 0).then(|| 2.0 * self.shared_volume_mm3 / sum)
    }
}

/// One subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SubjectScore {
    /// Its name.
    pub subject: String,
    /// A score for each class requested.
    pub classes: Vec<ClassScore>,
    /// Which class was predicted for which, all classes matched together.
    pub confusion: Confusion,
}

impl SubjectScore {
    /// The score of a class.
    pub fn of(&self, class: LesionClass) -> Option<&ClassScore> {
        self.classes.iter().find(|score| score.class == class)
    }

    /// Notes how many predicted lesions of each class were left out
    /// ([`KnownPredictions`](crate::KnownPredictions)).
    #[must_use]
    pub fn with_left_out(mut self, left_out: &BTreeMap<LesionClass, usize>) -> Self {
        for score in &mut self.classes {
            score.left_out = left_out.get(&score.class).copied().unwrap_or_default();
        }
        self
    }
}

/// Compares a predicted with a true label map on the same grid, for the given classes. Lesions are
/// 26-connected components unless `connectivity` says otherwise; pairs are made within a class,
/// and once more regardless of class for the confusion.
///
/// # Panics
/// If the maps are not of one shape (check their grids first).
pub fn score(
    subject: &str,
    truth: &LabelMap,
    predicted: &LabelMap,
    classes: &[LesionClass],
    rule: MatchRule,
    connectivity: Connectivity,
) -> SubjectScore {
    assert_eq!(truth.grid().shape(), predicted.grid().shape(), "label maps of one grid");
    let (truth_lesions, predicted_lesions) =
        (lesions_of(truth, connectivity), lesions_of(predicted, connectivity));
    let wanted = |lesion: &&Lesion| classes.contains(&lesion.class);
    let (all_truth, all_predicted): (Vec<&Lesion>, Vec<&Lesion>) = (
        truth_lesions.iter().filter(wanted).collect(),
        predicted_lesions.iter().filter(wanted).collect(),
    );

    let class_score = |class: LesionClass| {
        let truth_of = of_class(&all_truth, class);
        let predicted_of = of_class(&all_predicted, class);
        let pairs = match_lesions(&truth_of, &predicted_of, rule);
        let found: HashSet<usize> = pairs.iter().map(|pair| pair.truth).collect();
        let right: HashSet<usize> = pairs.iter().map(|pair| pair.predicted).collect();
        let mut by_size = [SizeCounts::default(); SIZE_CLASSES.len()];
        for (n, lesion) in truth_of.iter().enumerate() {
            let counts = &mut by_size[size_class(lesion.diameter_mm())];
            counts.truth += 1;
            counts.found += usize::from(found.contains(&n));
        }
        for (n, lesion) in predicted_of.iter().enumerate() {
            let counts = &mut by_size[size_class(lesion.diameter_mm())];
            counts.predicted += 1;
            counts.false_positives += usize::from(!right.contains(&n));
        }
        let shared = truth
            .volume()
            .data()
            .iter()
            .zip(predicted.volume().data())
            .filter(|&(&a, &b)| a == class.label() && b == class.label())
            .count();
        let volume = |lesions: &[&Lesion]| lesions.iter().map(|lesion| lesion.volume_mm3).sum();
        ClassScore {
            class,
            truth: truth_of.len(),
            predicted: predicted_of.len(),
            matched: pairs.len(),
            left_out: 0,
            truth_volume_mm3: volume(&truth_of),
            predicted_volume_mm3: volume(&predicted_of),
            shared_volume_mm3: shared as f64 * truth.grid().voxel_volume_mm3(),
            by_size,
        }
    };
    SubjectScore {
        subject: subject.to_owned(),
        classes: classes.iter().map(|&class| class_score(class)).collect(),
        confusion: confusion::of(&all_truth, &all_predicted, rule),
    }
}

fn of_class<'a>(lesions: &[&'a Lesion], class: LesionClass) -> Vec<&'a Lesion> {
    lesions.iter().copied().filter(|lesion| lesion.class == class).collect()
}
