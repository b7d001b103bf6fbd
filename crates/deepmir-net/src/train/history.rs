//! The results of validations.

use deepmir_detect::DetectionRule;
use deepmir_lesion::LesionClass;
use serde::{Deserialize, Serialize};

/// One validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Steps done.
    pub step: u64,
    /// Mean training loss since the previous validation.
    pub training_loss: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Seconds spent on these steps, without the validation.
    pub seconds: f64,
    /// Mean lesion F1 over the classes, at the best thresholds.
    pub f1: f64,
    /// Mean average precision over the classes.
    pub average_precision: f64,
    /// F1 of each class; -1 where the validation subjects have no lesion of it.
    pub class_f1: Vec<(LesionClass, f64)>,
    /// The thresholds.
    pub rule: DetectionRule,
}

impl Validation {
    /// The criterion for the best weights: F1, and average precision to break ties (with few lesions F1 takes few
    /// values).
    pub fn quality(&self) -> f64 {
        self.f1 + 0.1 * self.average_precision
    }
}

/// Every validation so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// In the order of their steps.
    pub validations: Vec<Validation>,
    /// Validations before this step count only while there is no later one: with few lesions an early validation may
    /// be the best by chance.
    #[serde(default)]
    pub first_candidate: u64,
}

impl History {
    /// The best validation, the latest of equally good ones.
    pub fn best(&self) -> Option<&Validation> {
        let order = |a: &&Validation, b: &&Validation| a.quality().total_cmp(&b.quality());
        let late = self.validations.iter().filter(|row| row.step >= self.first_candidate);
        late.max_by(order).or_else(|| self.validations.iter().max_by(order))
    }

    /// Number of validations since the best.
    pub fn since_best(&self) -> usize {
        let best = self.best().map(|best| best.step);
        self.validations.iter().rev().take_while(|validation| Some(validation.step) != best).count()
    }

    /// A tab-separated table.
    pub fn table(&self) -> String {
        let classes: Vec<LesionClass> = self
            .validations
            .first()
            .map(|validation| validation.class_f1.iter().map(|(class, _)| *class).collect())
            .unwrap_or_default();
        let mut text =
            String::from("step\ttraining_loss\tlearning_rate\tseconds\tf1\taverage_precision");
        classes.iter().for_each(|class| text += &format!("\tf1_{class}"));
        text.push('\n');
        for row in &self.validations {
            text += &format!(
                "{}\t{:.5}\t{:.3e}\t{:.1}\t{:.4}\t{:.4}",
                row.step,
                row.training_loss,
                row.learning_rate,
                row.seconds,
                row.f1,
                row.average_precision
            );
            for (_, f1) in &row.class_f1 {
                text += &if *f1 < 0.0 { "\tn/a".to_owned() } else { format!("\t{f1:.4}") };
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validation(step: u64, f1: f64) -> Validation {
        Validation {
            step,
            training_loss: 0.5,
            learning_rate: 1e-3,
            seconds: 10.0,
            f1,
            average_precision: 0.5,
            class_f1: vec![(LesionClass::Cmb, f1), (LesionClass::Nhid, -1.0)],
            rule: DetectionRule::half(&LesionClass::ALL),
        }
    }

    #[test]
    fn the_best_is_found_and_counted_from() {
        let mut history = History::default();
        assert_eq!(history.best(), None);
        for (step, f1) in [(1, 0.5), (2, 0.8), (3, 0.8), (4, 0.7), (5, 0.6)] {
            history.validations.push(validation(step, f1));
        }
        assert_eq!(history.best().unwrap().step, 3);
        assert_eq!(history.since_best(), 2);
        assert!(history.table().lines().nth(1).unwrap().ends_with("0.5000\tn/a"));
        history.first_candidate = 4;
        assert_eq!((history.best().unwrap().step, history.since_best()), (4, 1));
        history.first_candidate = 6;
        assert_eq!(history.best().unwrap().step, 3, "none is late enough yet");
    }
}
