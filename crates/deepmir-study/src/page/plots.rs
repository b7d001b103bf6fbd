//! Curves of a study: detection and training.

use std::collections::BTreeMap;

use deepmir_lesion::LesionClass;
use deepmir_lesion::metrics::{Detections, froc as froc_of};
use deepmir_report::curves::{self, Line, Panel};
use deepmir_report::{Figure, Section};

use crate::StudyError;
use crate::plan::arm::Arm;
use crate::results::read::Results;
use crate::results::scan::ScanResult;
use crate::run::cell::{HISTORY, History};

/// Curves are shown up to so many false positives a scan.
const MOST_FALSE_POSITIVES: f64 = 10.0;

/// Arms that share a plot: one variant and one set of classes, a line for each set of inputs.
fn plots(arms: &[Arm]) -> Vec<(String, Vec<usize>)> {
    let mut plots: Vec<(String, Vec<usize>)> = Vec::new();
    for (number, arm) in arms.iter().enumerate() {
        let name = format!("{} → {}", arm.variant, arm.classes_name());
        match plots.iter_mut().find(|(other, _)| *other == name) {
            Some((_, numbers)) => numbers.push(number),
            None => plots.push((name, vec![number])),
        }
    }
    plots
}

/// Sensitivity against false positives a scan.
pub(crate) fn froc(results: &Results<'_>) -> Result<Section, StudyError> {
    let arms = &results.plan.arms;
    let mut figures = Vec::new();
    for (name, numbers) in plots(arms) {
        let panel = |class: LesionClass| -> Option<Panel> {
            let lines: Vec<Line> = numbers
                .iter()
                .filter_map(|&number| {
                    let points = curve(results, number, class)?;
                    Some(Line { name: arms[number].inputs_name(), points })
                })
                .collect();
            (!lines.is_empty()).then(|| Panel {
                title: format!("Sensitivity to {class}"),
                x_label: "false positives a scan".to_owned(),
                lines,
                y_range: Some((0.0, 1.0)),
            })
        };
        let panels: Vec<Panel> = LesionClass::ALL.into_iter().filter_map(panel).collect();
        if !panels.is_empty() {
            figures.push(Figure { caption: name, svg: curves::svg(&panels)? });
        }
    }
    let missing = if figures.is_empty() { " There is no true lesion to find." } else { "" };
    Ok(Section {
        title: "Sensitivity against false positives".to_owned(),
        text: vec![format!(
            "All scans held out, pooled over cells, as the threshold on a candidate's peak falls; \
             candidates are regions where the probability of any lesion reaches {}. Cells have \
             thresholds of their own, so a pooled curve mixes networks whose probabilities may not \
             mean the same.{missing}",
            results.plan.config.evaluation.froc_threshold
        )],
        figures,
        ..Section::default()
    })
}

/// An arm's curve; `None` without true lesions.
fn curve(results: &Results<'_>, arm: usize, class: LesionClass) -> Option<Vec<(f64, f64)>> {
    let by_unit = results.by_unit(arm);
    let scans: Vec<&ScanResult> = by_unit.into_iter().flatten().collect();
    let parts: Vec<&Detections> =
        scans.iter().filter_map(|scan| scan.detections_of(class)).collect();
    let points = froc_of(&parts)?.points;
    let mut line = vec![(0.0, 0.0)];
    let within = points.iter().map(|point| (point.false_positives_per_scan, point.sensitivity));
    line.extend(within.take_while(|(rate, _)| *rate <= MOST_FALSE_POSITIVES));
    Some(line)
}

/// Training loss and validation F1, averaged over cells.
pub(crate) fn trainings(results: &Results<'_>) -> Result<Section, StudyError> {
    let arms = &results.plan.arms;
    let mut figures = Vec::new();
    for (name, numbers) in plots(arms) {
        let mut panels = Vec::new();
        for (column, title, y_range) in [
            ("training_loss", "Training loss", None),
            ("f1", "Mean F1 of the validation subjects", Some((0.0, 1.0))),
        ] {
            let lines = numbers.iter().map(|&number| {
                let points = mean_history(results, number, column)?;
                Ok(Line { name: arms[number].inputs_name(), points })
            });
            panels.push(Panel {
                title: title.to_owned(),
                x_label: "step".to_owned(),
                lines: lines.collect::<Result<Vec<_>, StudyError>>()?,
                y_range,
            });
        }
        figures.push(Figure { caption: name, svg: curves::svg(&panels)? });
    }
    Ok(Section {
        title: "Trainings".to_owned(),
        text: vec![
            "Mean over cells; each cell's own table is history.tsv in its folder.".to_owned(),
        ],
        figures,
        ..Section::default()
    })
}

fn mean_history(
    results: &Results<'_>,
    arm: usize,
    column: &str,
) -> Result<Vec<(f64, f64)>, StudyError> {
    let mut steps: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (cell, _) in results.cells.iter().filter(|(cell, _)| cell.arm == arm) {
        let history = History::read(&results.plan.folder(cell).join(HISTORY))?;
        for (step, value) in history.points(column) {
            steps.entry(step as u64).or_default().push(value);
        }
    }
    let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    Ok(steps.iter().map(|(step, values)| (*step as f64, mean(values))).collect())
}
