//! Differences between arms, on the same subjects.

use deepmir_lesion::metrics::Estimate;
use serde::Serialize;

use crate::plan::arm::Arm;
use crate::results::read::Results;
use crate::results::statistics::{
    AVERAGE_PRECISION, CLASS_ACCURACY, Measure, Resampled, holm, measures,
};

/// One measure of one arm less that of another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What the two differ in: inputs, classes or variant.
    pub question: &'static str,
    /// The measure's name.
    pub measure: &'static str,
    /// Which class.
    pub class: &'static str,
    /// The arm.
    pub arm: String,
    /// The arm it is compared with.
    pub other: String,
    /// The arm's value less the other's, with the interval over subjects.
    pub difference: Option<Estimate>,
    /// Two-sided, from the same resamples.
    pub p: Option<f64>,
    /// Corrected for all comparisons of this measure to this question.
    pub p_holm: Option<f64>,
}

/// The measures that are compared.
const COMPARED: [&str; 8] = [
    "f1",
    "sensitivity",
    "precision",
    "false_positives_per_scan",
    "dice",
    "absolute_volume_error_mm3",
    AVERAGE_PRECISION,
    CLASS_ACCURACY,
];

/// Compares every two arms that differ in one thing alone: any two sets of inputs, any two sets of
/// classes that share the class, and every variant with the first.
pub(crate) fn compare(results: &Results<'_>) -> Vec<Comparison> {
    let arms = &results.plan.arms;
    let bootstrap = results.plan.config.evaluation_options().bootstrap;
    let resampled: Vec<Vec<(Measure, Resampled)>> = arms
        .iter()
        .enumerate()
        .map(|(number, arm)| {
            let by_unit = results.by_unit(number);
            let compared = measures(&arm.classes).into_iter();
            compared
                .filter(|measure| COMPARED.contains(&measure.name))
                .map(|measure| (measure, Resampled::new(&measure, &by_unit, &bootstrap)))
                .collect()
        })
        .collect();

    let mut comparisons = Vec::new();
    for question in ["inputs", "classes", "variant"] {
        for name in COMPARED {
            let first = comparisons.len();
            for (a, b) in pairs(arms, question) {
                for (measure, values) in resampled[a].iter().filter(|(m, _)| m.name == name) {
                    let other = resampled[b].iter().find(|(other, _)| other == measure);
                    let Some((_, other)) = other else { continue };
                    let outcome = values.less(other, &bootstrap);
                    comparisons.push(Comparison {
                        question,
                        measure: measure.name,
                        class: measure.class_name(),
                        arm: arms[a].name.clone(),
                        other: arms[b].name.clone(),
                        difference: outcome.map(|(difference, _)| difference),
                        p: outcome.map(|(_, p)| p),
                        p_holm: None,
                    });
                }
            }
            correct(&mut comparisons[first..]);
        }
    }
    comparisons
}

fn correct(family: &mut [Comparison]) {
    let known: Vec<f64> = family.iter().filter_map(|comparison| comparison.p).collect();
    let with_p = family.iter_mut().filter(|comparison| comparison.p.is_some());
    for (comparison, corrected) in with_p.zip(holm(&known)) {
        comparison.p_holm = Some(corrected);
    }
}

/// Positions of arms that differ in the question alone, the later arm first.
fn pairs(arms: &[Arm], question: &str) -> Vec<(usize, usize)> {
    let differ = |a: &Arm, b: &Arm| {
        let differences = [
            ("inputs", a.inputs != b.inputs),
            ("classes", a.classes != b.classes),
            ("variant", a.variant != b.variant),
        ];
        differences.iter().all(|(name, different)| *different == (*name == question))
    };
    let first_variant = arms.first().map(|arm| arm.variant.as_str());
    let all = (0..arms.len()).flat_map(|b| (b + 1..arms.len()).map(move |a| (a, b)));
    all.filter(|&(a, b)| {
        let to_first = Some(arms[b].variant.as_str()) == first_variant;
        differ(&arms[a], &arms[b]) && (question != "variant" || to_first)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_cases::Modality::{Qsm, Swi};
    use deepmir_lesion::LesionClass::{Cmb, Nhid};
    use deepmir_net::preset;

    #[test]
    fn arms_that_differ_in_one_thing_alone_are_compared() {
        let arm = |variant: &str, inputs: &[_], classes: &[_]| Arm {
            name: String::new(),
            variant: variant.to_owned(),
            inputs: inputs.to_vec(),
            classes: classes.to_vec(),
            preset: preset::deepmir(),
            flips: false,
        };
        let arms = [
            arm("a", &[Swi], &[Cmb, Nhid]),
            arm("a", &[Swi, Qsm], &[Cmb, Nhid]),
            arm("a", &[Swi], &[Cmb]),
            arm("b", &[Swi], &[Cmb, Nhid]),
            arm("c", &[Swi], &[Cmb, Nhid]),
        ];
        assert_eq!(pairs(&arms, "inputs"), [(1, 0)]);
        assert_eq!(pairs(&arms, "classes"), [(2, 0)]);
        assert_eq!(pairs(&arms, "variant"), [(3, 0), (4, 0)], "with the first alone");
    }
}
