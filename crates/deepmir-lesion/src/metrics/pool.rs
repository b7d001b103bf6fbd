//! Many subjects.

use serde::Serialize;

use super::size::{SIZE_CLASSES, SizeCounts};
use super::{Bootstrap, ClassScore, Confusion, Estimate, SubjectScore};
use crate::LesionClass;

/// A number that sums up the scores of one class over subjects.
pub struct Metric {
    /// As in tables and `evaluation.json`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub meaning: &'static str,
    /// Its value; `None` where it is undefined.
    pub compute: fn(&[&ClassScore]) -> Option<f64>,
}

/// Every metric, in the order of tables.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "sensitivity",
        meaning: "matched over true lesions, all subjects pooled",
        compute: |scores| ratio(total(scores, |s| s.matched), total(scores, |s| s.truth)),
    },
    Metric {
        name: "precision",
        meaning: "matched over predicted lesions, pooled",
        compute: |scores| ratio(total(scores, |s| s.matched), total(scores, |s| s.predicted)),
    },
    Metric {
        name: "f1",
        meaning: "harmonic mean of pooled sensitivity and precision",
        compute: |scores| {
            let truth = total(scores, |s| s.truth);
            let lesions = truth + total(scores, |s| s.predicted);
            if truth == 0.0 { None } else { ratio(2.0 * total(scores, |s| s.matched), lesions) }
        },
    },
    Metric {
        name: "false_positives_per_scan",
        meaning: "predicted lesions that match no true one, a scan",
        compute: |scores| ratio(total(scores, ClassScore::false_positives), scores.len() as f64),
    },
    Metric {
        name: "false_positives_per_lesion_free_scan",
        meaning: "the same, on scans without a true lesion of the class",
        compute: |scores| {
            let free: Vec<&ClassScore> = scores.iter().copied().filter(|s| s.truth == 0).collect();
            ratio(total(&free, ClassScore::false_positives), free.len() as f64)
        },
    },
    Metric {
        name: "dice",
        meaning: "overlap of all voxels, pooled",
        compute: |scores| {
            let volume = |of: fn(&ClassScore) -> f64| scores.iter().map(|s| of(s)).sum::<f64>();
            let truth = volume(|s| s.truth_volume_mm3);
            let sum = truth + volume(|s| s.predicted_volume_mm3);
            if truth == 0.0 { None } else { ratio(2.0 * volume(|s| s.shared_volume_mm3), sum) }
        },
    },
    Metric {
        name: "mean_sensitivity",
        meaning: "mean over subjects with true lesions",
        compute: |scores| mean(scores.iter().map(|s| s.sensitivity())),
    },
    Metric {
        name: "mean_precision",
        meaning: "mean over subjects with predicted lesions",
        compute: |scores| mean(scores.iter().map(|s| s.precision())),
    },
    Metric {
        name: "mean_f1",
        meaning: "mean over subjects with true lesions",
        compute: |scores| mean(scores.iter().map(|s| s.f1())),
    },
    Metric {
        name: "mean_dice",
        meaning: "mean over subjects with true lesions",
        compute: |scores| mean(scores.iter().map(|s| s.dice())),
    },
    Metric {
        name: "count_error",
        meaning: "predicted less true lesions, mean a scan",
        compute: |scores| mean(scores.iter().map(|s| Some(s.predicted as f64 - s.truth as f64))),
    },
    Metric {
        name: "absolute_count_error",
        meaning: "its absolute value, mean a scan",
        compute: |scores| mean(scores.iter().map(|s| Some(s.predicted.abs_diff(s.truth) as f64))),
    },
    Metric {
        name: "volume_error_mm3",
        meaning: "predicted less true volume, mean a scan",
        compute: |scores| {
            mean(scores.iter().map(|s| Some(s.predicted_volume_mm3 - s.truth_volume_mm3)))
        },
    },
    Metric {
        name: "absolute_volume_error_mm3",
        meaning: "its absolute value, mean a scan",
        compute: |scores| {
            mean(scores.iter().map(|s| Some((s.predicted_volume_mm3 - s.truth_volume_mm3).abs())))
        },
    },
];

fn total(scores: &[&ClassScore], count: impl Fn(&ClassScore) -> usize) -> f64 {
    scores.iter().map(|score| count(score)).sum::<usize>() as f64
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.flatten().collect();
    ratio(values.iter().sum(), values.len() as f64)
}

/// One class over all subjects.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PooledClass {
    /// The class.
    pub class: LesionClass,
    /// Subjects.
    pub subjects: usize,
    /// Subjects without a true lesion of the class.
    pub lesion_free_subjects: usize,
    /// True lesions.
    pub truth: usize,
    /// Predicted lesions.
    pub predicted: usize,
    /// Pairs.
    pub matched: usize,
    /// Predicted lesions that count nowhere, as nobody knows whether they are lesions.
    pub left_out: usize,
    /// Each of [`METRICS`] with its interval, in their order; `None` where undefined.
    pub metrics: Vec<(String, Option<Estimate>)>,
    /// By size, in the order of [`SIZE_CLASSES`].
    pub by_size: Vec<(String, SizeCounts)>,
}

impl PooledClass {
    /// A metric by its name.
    pub fn metric(&self, name: &str) -> Option<Estimate> {
        self.metrics.iter().find(|(other, _)| other == name).and_then(|(_, estimate)| *estimate)
    }
}

/// Sums subjects up: each class, and the confusion between classes.
pub fn pool(
    subjects: &[SubjectScore],
    classes: &[LesionClass],
    bootstrap: &Bootstrap,
) -> (Vec<PooledClass>, Confusion) {
    let alone: Vec<Vec<usize>> = (0..subjects.len()).map(|subject| vec![subject]).collect();
    pool_units(subjects, &alone, classes, bootstrap)
}

/// [`pool`] where some scans are of one patient: each of the `units` lists the places of those that are drawn together.
/// Scans of one patient resemble each other, so that intervals over scans would be too narrow.
pub fn pool_units(
    subjects: &[SubjectScore],
    units: &[Vec<usize>],
    classes: &[LesionClass],
    bootstrap: &Bootstrap,
) -> (Vec<PooledClass>, Confusion) {
    let mut confusion = Confusion::default();
    subjects.iter().for_each(|subject| confusion.add(&subject.confusion));
    let pooled = classes.iter().map(|&class| {
        let scores: Vec<&ClassScore> =
            subjects.iter().filter_map(|subject| subject.of(class)).collect();
        pool_class(class, &scores, units, bootstrap)
    });
    (pooled.collect(), confusion)
}

fn pool_class(
    class: LesionClass,
    scores: &[&ClassScore],
    units: &[Vec<usize>],
    bootstrap: &Bootstrap,
) -> PooledClass {
    let estimate = |metric: &Metric| {
        let mut drawn = Vec::with_capacity(scores.len());
        let estimate = bootstrap.estimate(units.len(), |chosen| {
            drawn.clear();
            let subjects = chosen.iter().flat_map(|&unit| &units[unit]);
            drawn.extend(subjects.filter_map(|&subject| scores.get(subject).copied()));
            (metric.compute)(&drawn)
        });
        (metric.name.to_owned(), estimate)
    };
    let size_counts = |n: usize| {
        let sum =
            scores.iter().map(|score| score.by_size[n]).fold(SizeCounts::default(), |a, b| {
                SizeCounts {
                    truth: a.truth + b.truth,
                    found: a.found + b.found,
                    predicted: a.predicted + b.predicted,
                    false_positives: a.false_positives + b.false_positives,
                }
            });
        (SIZE_CLASSES[n].name.to_owned(), sum)
    };
    PooledClass {
        class,
        subjects: scores.len(),
        lesion_free_subjects: scores.iter().filter(|score| score.truth == 0).count(),
        truth: scores.iter().map(|score| score.truth).sum(),
        predicted: scores.iter().map(|score| score.predicted).sum(),
        matched: scores.iter().map(|score| score.matched).sum(),
        left_out: scores.iter().map(|score| score.left_out).sum(),
        metrics: METRICS.iter().map(estimate).collect(),
        by_size: (0..SIZE_CLASSES.len()).map(size_counts).collect(),
    }
}
