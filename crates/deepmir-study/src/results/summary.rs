//! The study's main table: every measure of every arm, and why where there is none.

use deepmir_lesion::metrics::Estimate;
use serde::Serialize;

use crate::results::read::Results;
use crate::results::scan::ScanResult;
use crate::results::statistics::{Measure, Resampled, mean_and_deviation, measures};

/// One measure of one arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SummaryRow {
    /// The arm's name.
    pub arm: String,
    /// Which class; `CMB+NHID` for class accuracy.
    pub class: &'static str,
    /// The measure's name.
    pub measure: &'static str,
    /// Mean over cells (folds and seeds).
    pub mean: Option<f64>,
    /// Standard deviation over cells.
    pub deviation: Option<f64>,
    /// Cells in which it is defined.
    pub cells: usize,
    /// All scans pooled, with the bootstrap interval over subjects.
    pub pooled: Option<Estimate>,
    /// Why something is missing; empty if nothing is.
    pub note: String,
}

/// The note of a measure that only one cell has.
pub(crate) const NO_DEVIATION: &str = "no deviation: defined in fewer than two cells";

/// Every measure of every arm.
pub(crate) fn summarise(results: &Results<'_>) -> Vec<SummaryRow> {
    let bootstrap = results.plan.config.evaluation_options().bootstrap;
    let mut rows = Vec::new();
    for (number, arm) in results.plan.arms.iter().enumerate() {
        let (by_unit, by_cell) = (results.by_unit(number), results.by_cell(number));
        for measure in measures(&arm.classes) {
            let values: Vec<Option<f64>> =
                by_cell.iter().map(|(_, _, cell)| measure.value(cell)).collect();
            let defined: Vec<f64> = values.iter().flatten().copied().collect();
            let (mean, deviation) = mean_and_deviation(&defined);
            let pooled = Resampled::new(&measure, &by_unit, &bootstrap).estimate;
            let mut notes = Vec::new();
            for (value, (fold, _, cell)) in values.iter().zip(&by_cell) {
                if value.is_none() {
                    let fold = &results.plan.folds[*fold].name;
                    notes.push(format!("fold {fold}: {}", why_undefined(&measure, cell)));
                }
            }
            notes.dedup();
            if pooled.is_none() {
                let all: Vec<&ScanResult> = by_unit.iter().flatten().copied().collect();
                notes = vec![why_undefined(&measure, &all)];
            } else if deviation.is_none() {
                notes.push(NO_DEVIATION.to_owned());
            }
            rows.push(SummaryRow {
                arm: arm.name.clone(),
                class: measure.class_name(),
                measure: measure.name,
                mean,
                deviation,
                cells: defined.len(),
                pooled,
                note: notes.join("; "),
            });
        }
    }
    rows
}

/// Why a measure has no value over some scans.
pub(crate) fn why_undefined(measure: &Measure, results: &[&ScanResult]) -> String {
    let Some(class) = measure.class else {
        return "no lesion was found as anything, so class accuracy is undefined".to_owned();
    };
    let scores = || results.iter().filter_map(|result| result.score.of(class));
    let truth: usize = scores().map(|score| score.truth).sum();
    let predicted: usize = scores().map(|score| score.predicted).sum();
    if measure.name.contains("lesion_free") {
        format!("every scan has a true {class}")
    } else if measure.name.contains("precision") && predicted == 0 && truth > 0 {
        format!("nothing was predicted as {class}")
    } else if truth == 0 && predicted == 0 {
        format!("no true {class}, and none was predicted")
    } else {
        format!("no true {class} there")
    }
}
