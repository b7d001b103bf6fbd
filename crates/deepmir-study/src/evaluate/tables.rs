//! The files of an evaluation.

use std::path::Path;

use deepmir_cases::bids;
use deepmir_lesion::metrics::METRICS;
use serde_json::Value;

use super::Evaluation;
use crate::StudyError;

impl Evaluation {
    /// Writes `evaluation.json`, `subjects.tsv` and `pooled.tsv` into a folder.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), StudyError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| StudyError::Write { path: folder.to_owned(), source })?;
        bids::write_json(&folder.join("evaluation.json"), self)?;
        bids::write_text(&folder.join("subjects.tsv"), &self.subjects_table())?;
        Ok(bids::write_text(&folder.join("pooled.tsv"), &self.pooled_table())?)
    }

    /// Whether a folder holds the evaluation of other subjects: other names, or other true lesions under the same
    /// settings.
    pub fn replaces_others(&self, folder: &Path) -> bool {
        let Ok(text) = std::fs::read_to_string(folder.join("evaluation.json")) else {
            return false;
        };
        let there: Value = serde_json::from_str(&text).unwrap_or_default();
        // As read back: single precision has other digits in a value than in text.
        let own: Value = serde_json::to_string(self)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let compared = |evaluation: &Value| {
            let same_settings = there["settings"] == own["settings"];
            let subjects = evaluation["subjects"].as_array().cloned().unwrap_or_default();
            let told = subjects.into_iter().map(|subject| {
                let classes = subject["classes"].as_array().cloned().unwrap_or_default();
                let truth = classes.iter().map(|class| class["truth_volume_mm3"].clone());
                let truth: Vec<Value> = truth.filter(|_| same_settings).collect();
                (subject["subject"].clone(), truth)
            });
            told.collect::<Vec<_>>()
        };
        compared(&there) != compared(&own)
    }

    fn subjects_table(&self) -> String {
        let mut text = String::from(
            "subject\tclass\ttruth\tpredicted\tmatched\tfalse_positives\tmissed\tsensitivity\tprecision\t\
             f1\tdice\ttruth_volume_mm3\tpredicted_volume_mm3\tleft_out\n",
        );
        for subject in &self.subjects {
            for score in &subject.classes {
                text += &format!(
                    "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{:.3}\t{:.3}\t{}\n",
                    subject.subject,
                    score.class,
                    score.truth,
                    score.predicted,
                    score.matched,
                    score.false_positives(),
                    score.missed(),
                    cell(score.sensitivity()),
                    cell(score.precision()),
                    cell(score.f1()),
                    cell(score.dice()),
                    score.truth_volume_mm3,
                    score.predicted_volume_mm3,
                    score.left_out,
                );
            }
        }
        text
    }

    fn pooled_table(&self) -> String {
        let mut text = String::from("class\tmetric\tvalue\tlow\thigh\tmeaning\n");
        for class in &self.classes {
            for ((name, estimate), metric) in class.metrics.iter().zip(METRICS) {
                text += &format!(
                    "{}\t{name}\t{}\t{}\t{}\t{}\n",
                    class.class,
                    cell(estimate.map(|estimate| estimate.value)),
                    cell(estimate.map(|estimate| estimate.low)),
                    cell(estimate.map(|estimate| estimate.high)),
                    metric.meaning,
                );
            }
        }
        text
    }
}

pub(super) fn cell(value: Option<f64>) -> String {
    value.map_or("n/a".to_owned(), |value| format!("{value:.4}"))
}
