//! The page of a study.

mod gallery;
mod plots;
mod sections;

use deepmir_lesion::LesionClass;
use deepmir_report::{Section, StudyPage, TextTable};

use crate::StudyError;
use crate::page::sections::{
    comparison_section, confusion_section, main_section, strata_section, title,
};
use crate::plan::arm::Arm;
use crate::results::comparison::Comparison;
use crate::results::read::Results;
use crate::results::summary::SummaryRow;
use deepmir_pipeline::program;

/// Fewer subjects than this make intervals and p values rough.
const FEW: usize = 20;

pub(crate) fn page(
    results: &Results<'_>,
    summary: &[SummaryRow],
    comparisons: &[Comparison],
) -> Result<StudyPage, StudyError> {
    let plan = results.plan;
    let mut sections = Vec::new();
    for class in LesionClass::ALL {
        if plan.arms.iter().any(|arm| arm.classes.contains(&class)) {
            sections.push(main_section(results, summary, class)?);
        }
    }
    sections.push(confusion_section(results, summary));
    sections.push(comparison_section(comparisons));
    sections.push(plots::froc(results)?);
    sections.push(strata_section(results));
    if let Some(arm) = best_arm(plan.arms.as_slice(), summary) {
        sections.push(Section {
            title: "Worst mistakes of the best arm".to_owned(),
            text: vec![format!(
                "Of {}, the arm with the best mean F1 among those that predict the most classes: for each \
                 class up to six false positives of the highest probability, and the largest \
                 lesions that it missed. Axial, coronal and sagittal planes of 32 mm; found lesions \
                 (of false ones) or true ones (of missed ones) outlined. All mistakes of all arms: \
                 mistakes.tsv.",
                title(&plan.arms[arm])
            )],
            cards: gallery::worst(results, arm)?,
            ..Section::default()
        });
    }
    sections.push(plots::trainings(results)?);
    sections.push(times_section(results));
    sections.push(participants_section(results));
    Ok(StudyPage {
        kind: "study",
        title: plan.config.name.clone().unwrap_or_else(|| "Study".to_owned()),
        lead: lead(results),
        warnings: warnings(results),
        sections,
        provenance: vec![
            ("program".to_owned(), program()),
            ("settings".to_owned(), "study.json".to_owned()),
            ("cells, folders and splits".to_owned(), "plan.tsv, splits.tsv".to_owned()),
            (
                "tables".to_owned(),
                "arms.tsv, cells.tsv, comparisons.tsv, confusion.tsv, strata.tsv, mistakes.tsv, \
                 times.tsv, results.json"
                    .to_owned(),
            ),
        ],
    })
}

fn lead(results: &Results<'_>) -> Vec<String> {
    let plan = results.plan;
    let evaluation = &plan.config.evaluation;
    let scans = results.by_unit(0).iter().map(Vec::len).sum::<usize>();
    let seeds = plan.config.seeds.len();
    let smallest = match evaluation.min_volume_mm3 {
        volume if volume > 0.0 => format!(" Lesions below {volume} mm³ count on neither side."),
        _ => String::new(),
    };
    vec![
        format!(
            "{} arms × {} folds × {} seed{}: {} cells. Every arm had the same folds, seeds and \
             inner validation subjects; {} predictions of {} subjects count for each.",
            plan.arms.len(),
            plan.folds.len(),
            seeds,
            if seeds == 1 { "" } else { "s" },
            results.cells.len(),
            scans,
            results.units(),
        ),
        format!(
            "Each number: pooled over all scans held out, with the 95 % bootstrap interval over \
             subjects ({} resamples, lesions and sessions of one subject, and subjects of one \
             anatomy, staying together), then the mean ± standard deviation over cells. Weights and \
             thresholds were chosen on validation subjects of the training side. Lesions matched by \
             {}.{smallest}",
            evaluation.resamples, evaluation.rule,
        ),
    ]
}

fn warnings(results: &Results<'_>) -> Vec<String> {
    let plan = results.plan;
    let mut warnings = Vec::new();
    if results.cells.len() < plan.cells.len() {
        warnings.push(format!(
            "Unfinished: {} of {} cells, those of folds in which every arm is done.",
            results.cells.len(),
            plan.cells.len()
        ));
    }
    let units = results.units();
    if units < FEW {
        warnings.push(format!(
            "{units} subjects: bootstrap intervals and p values of so few are rough and tend to be \
             too narrow."
        ));
    }
    if plan.config.seeds.len() == 1 {
        warnings.push(
            "One seed: another seed may make such differences by chance; give several.".to_owned(),
        );
    }
    for (scan, reason) in plan.left_out() {
        warnings.push(format!("{scan} was left out: {reason}."));
    }
    warnings
}

fn times_section(results: &Results<'_>) -> Section {
    let rows = results.plan.arms.iter().enumerate().map(|(number, arm)| {
        let cells: Vec<_> = results
            .cells
            .iter()
            .filter(|(cell, _)| cell.arm == number)
            .map(|(_, done)| done)
            .collect();
        let total =
            |value: &dyn Fn(&super::Done) -> f64| cells.iter().map(|done| value(done)).sum();
        let training: f64 = total(&|done| done.training_seconds);
        let predicting: f64 = total(&|done| done.predicting_seconds);
        let scans: f64 = total(&|done| done.scans.len() as f64);
        vec![
            title(arm),
            cells.first().map_or(0, |done| done.parameters).to_string(),
            arm.preset.training.steps.to_string(),
            format!("{:.0}", training / cells.len().max(1) as f64),
            format!("{:.1}", predicting / scans.max(1.0)),
        ]
    });
    let header = ["arm", "parameters", "steps", "training, s a cell", "predicting, s a scan"];
    Section {
        title: "Run times".to_owned(),
        text: vec![
            "Training steps alone, without reading and validation; of cells that were stopped and \
             resumed, what was not lost."
                .to_owned(),
        ],
        tables: vec![TextTable {
            title: String::new(),
            header: header.map(str::to_owned).to_vec(),
            rows: rows.collect(),
        }],
        ..Section::default()
    }
}

fn participants_section(results: &Results<'_>) -> Section {
    let names = |cases: &[deepmir_cases::CaseFiles]| {
        cases.iter().map(|case| case.id.as_str()).collect::<Vec<_>>().join(" ")
    };
    let rows = results.plan.folds.iter().map(|fold| {
        let truth = |class: LesionClass| -> usize {
            let held = results.scans.iter().filter(|scan| {
                fold.held_out.iter().any(|case| case.id == scan.scan)
                    && results.plan.folds[scan.fold].name == fold.name
            });
            let mut seen: Vec<&str> = Vec::new();
            let mut count = 0;
            for scan in held {
                let Some(score) = scan.score.of(class) else { continue };
                if !seen.contains(&scan.scan.as_str()) {
                    seen.push(&scan.scan);
                    count += score.truth;
                }
            }
            count
        };
        vec![
            fold.name.clone(),
            names(&fold.held_out),
            truth(LesionClass::Cmb).to_string(),
            truth(LesionClass::Nhid).to_string(),
            names(&fold.validation),
            fold.training.len().to_string(),
        ]
    });
    let header =
        ["fold", "held out", "true CMB", "true NHID", "thresholds chosen on", "training scans"];
    Section {
        title: "Participants of each fold".to_owned(),
        tables: vec![TextTable {
            title: String::new(),
            header: header.map(str::to_owned).to_vec(),
            rows: rows.collect(),
        }],
        ..Section::default()
    }
}

/// The best of the arms that predict the most classes, by mean F1.
fn best_arm(arms: &[Arm], summary: &[SummaryRow]) -> Option<usize> {
    let most = arms.iter().map(|arm| arm.classes.len()).max()?;
    let mean = |arm: &Arm| {
        let values: Vec<f64> = summary
            .iter()
            .filter(|row| row.arm == arm.name && row.measure == "f1")
            .filter_map(|row| row.pooled.map(|pooled| pooled.value))
            .collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    };
    let candidates = (0..arms.len()).filter(|&n| arms[n].classes.len() == most);
    candidates.max_by(|&a, &b| mean(&arms[a]).total_cmp(&mean(&arms[b])))
}
