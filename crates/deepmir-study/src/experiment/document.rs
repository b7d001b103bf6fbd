//! The study's page.

use deepmir_lesion::LesionClass;
use deepmir_report::intervals::{self, Interval};
use deepmir_report::{Figure, Section, StudyPage, TextTable};

use super::arm::Arm;
use super::collect::Results;
use super::comparison::Comparison;
use super::scan::ScanResult;
use super::statistics::{AVERAGE_PRECISION, TOLD_APART};
use super::summary::SummaryRow;
use super::{gallery, plots, tables};
use crate::{StudyError, program};

/// Measures of the main table, as named there.
const SHOWN: [(&str, &str, usize); 9] = [
    ("sensitivity", "sensitivity", 2),
    ("precision", "precision", 2),
    ("f1", "F1", 2),
    ("false_positives_per_scan", "false positives a scan", 1),
    ("dice", "Dice", 2),
    ("count_error", "count error", 1),
    ("absolute_count_error", "|count error|", 1),
    ("absolute_volume_error_mm3", "|volume error| mm³", 0),
    (AVERAGE_PRECISION, "average precision", 2),
];

/// Measures whose comparisons are shown; the rest are in the table beside the page.
const COMPARISONS_SHOWN: [&str; 4] = ["f1", "precision", AVERAGE_PRECISION, TOLD_APART];

/// Fewer subjects than this make intervals and p values rough.
const FEW: usize = 20;

pub(super) fn page(
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
            title: "Its worst mistakes".to_owned(),
            text: vec![format!(
                "Of {}, the arm with the best mean F1 among those that tell most classes: for each \
                 class up to six false positives that the network was surest of, and the largest \
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
    sections.push(people_section(results));
    Ok(StudyPage {
        title: plan.config.name.clone().unwrap_or_else(|| "Study".to_owned()),
        lead: lead(results),
        warnings: warnings(results),
        sections,
        provenance: vec![
            ("program".to_owned(), program()),
            ("settings".to_owned(), "study.json".to_owned()),
            ("cells, folders and who was where".to_owned(), "plan.tsv, splits.tsv".to_owned()),
            (
                "tables".to_owned(),
                "arms.tsv, cells.tsv, comparisons.tsv, confusion.tsv, strata.tsv, mistakes.tsv, \
                 times.tsv, results.json"
                    .to_owned(),
            ),
        ],
    })
}

/// As an arm is called on the page.
pub(super) fn title(arm: &Arm) -> String {
    format!("{}: {} → {}", arm.variant, arm.inputs_name(), arm.classes_name())
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
             too sure of themselves."
        ));
    }
    if plan.config.seeds.len() == 1 {
        warnings.push(
            "One seed: differences may be those that another seed would make; give several."
                .to_owned(),
        );
    }
    for (scan, reason) in plan.left_out() {
        warnings.push(format!("{scan} was left out: {reason}."));
    }
    warnings
}

fn main_section(
    results: &Results<'_>,
    summary: &[SummaryRow],
    class: LesionClass,
) -> Result<Section, StudyError> {
    let arms: Vec<&Arm> =
        results.plan.arms.iter().filter(|arm| arm.classes.contains(&class)).collect();
    let row = |arm: &Arm, measure: &str| {
        summary
            .iter()
            .find(|row| row.arm == arm.name && row.class == class.name() && row.measure == measure)
    };
    let mut header = vec!["arm".to_owned()];
    header.extend(SHOWN.iter().map(|(_, name, _)| (*name).to_owned()));
    let rows = arms.iter().map(|arm| {
        let mut cells = vec![title(arm)];
        cells.extend(SHOWN.iter().map(|(measure, _, digits)| {
            row(arm, measure).map_or_else(String::new, |row| estimate_cell(row, *digits))
        }));
        cells
    });
    let table = TextTable { title: String::new(), header, rows: rows.collect() };

    let colours = colours(&arms);
    let intervals: Vec<Interval> = arms
        .iter()
        .zip(colours)
        .map(|(arm, colour)| Interval {
            name: title(arm),
            value: row(arm, "f1")
                .and_then(|row| row.pooled)
                .map(|pooled| [pooled.value, pooled.low, pooled.high]),
            colour,
        })
        .collect();
    let svg = intervals::svg(&format!("F1 of {class}"), (0.0, 1.0), &intervals)?;
    let caption = "Pooled, with the 95 % bootstrap interval over subjects.".to_owned();
    Ok(Section {
        title: class_title(class),
        tables: vec![table],
        figures: vec![Figure { caption, svg }],
        ..Section::default()
    })
}

fn class_title(class: LesionClass) -> String {
    let name = class.full_name();
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}s ({class})", letters.as_str())
}

/// Arms of one variant have one colour.
fn colours(arms: &[&Arm]) -> Vec<usize> {
    let mut variants: Vec<&str> = Vec::new();
    arms.iter()
        .map(|arm| match variants.iter().position(|variant| *variant == arm.variant) {
            Some(place) => place,
            None => {
                variants.push(&arm.variant);
                variants.len() - 1
            }
        })
        .collect()
}

fn estimate_cell(row: &SummaryRow, digits: usize) -> String {
    let Some(pooled) = row.pooled else { return format!("undefined\n({})", row.note) };
    let mean = match (row.mean, row.deviation) {
        (Some(mean), Some(deviation)) => format!("\n{mean:.digits$} ± {deviation:.digits$}"),
        (Some(mean), None) => format!("\n{mean:.digits$} (one cell)"),
        _ => String::new(),
    };
    let reason = if row.note.is_empty() { String::new() } else { format!("\n({})", row.note) };
    format!(
        "{:.digits$} [{:.digits$}, {:.digits$}]{mean}{reason}",
        pooled.value, pooled.low, pooled.high
    )
}

fn confusion_section(results: &Results<'_>, summary: &[SummaryRow]) -> Section {
    let mut rows = Vec::new();
    for (number, arm) in results.plan.arms.iter().enumerate() {
        let scans: Vec<&ScanResult> = results.by_unit(number).into_iter().flatten().collect();
        let told = summary.iter().find(|row| row.arm == arm.name && row.measure == TOLD_APART);
        for (n, (what, all, [cmb, nhid], nothing)) in
            tables::confusion_of(&scans).into_iter().enumerate()
        {
            let count = |value: Option<usize>| value.map_or("–".to_owned(), |n| n.to_string());
            rows.push(vec![
                if n == 0 { title(arm) } else { String::new() },
                what,
                count(all),
                cmb.to_string(),
                nhid.to_string(),
                count(nothing),
                match told {
                    Some(row) if n == 0 => estimate_cell(row, 2),
                    _ => String::new(),
                },
            ]);
        }
    }
    let header = [
        "arm",
        "what it is",
        "how many",
        "called CMB",
        "called NHID",
        "called nothing",
        "class accuracy",
    ];
    let listed = results.scans.iter().any(|scan| scan.mimics.known);
    let mimics = if listed {
        "Calcifications and other mimics are those that the simulation lists, met within 1.5 mm of \
         their drawn surface."
    } else {
        "No list of calcifications lies beside the label maps, so that they cannot be counted; \
         `diamagnetic` is what the susceptibility map says of a false positive."
    };
    Section {
        title: "What was taken for what".to_owned(),
        text: vec![format!(
            "Lesions matched whatever their class. Class accuracy: of the true lesions that were \
                 found as anything, the share given its own class. {mimics} `Vessel-like` is a \
                 judgement of shape alone (the longest axis 2.5 times the next)."
        )],
        tables: vec![TextTable {
            title: String::new(),
            header: header.map(str::to_owned).to_vec(),
            rows,
        }],
        ..Section::default()
    }
}

fn comparison_section(comparisons: &[Comparison]) -> Section {
    let shown = |name: &str| match name {
        "f1" => "F1".to_owned(),
        other => other.replace('_', " "),
    };
    let mut by_question = Vec::new();
    for question in ["inputs", "classes", "variant"] {
        let rows: Vec<Vec<String>> = comparisons
            .iter()
            .filter(|row| row.question == question && COMPARISONS_SHOWN.contains(&row.measure))
            .map(|row| {
                let difference = row.difference.map_or_else(
                    || "undefined for one of the two".to_owned(),
                    |d| format!("{:+.3} [{:+.3}, {:+.3}]", d.value, d.low, d.high),
                );
                let p = |p: Option<f64>| p.map_or("–".to_owned(), |p| format!("{p:.4}"));
                vec![
                    shown(row.measure),
                    row.class.to_owned(),
                    row.arm.replace('_', " "),
                    row.other.replace('_', " "),
                    difference,
                    p(row.p),
                    p(row.p_holm),
                ]
            })
            .collect();
        if !rows.is_empty() {
            let header =
                ["measure", "class", "arm", "less", "difference", "p", "p, Holm-corrected"];
            by_question.push(TextTable {
                title: format!("Different {question}"),
                header: header.map(str::to_owned).to_vec(),
                rows,
            });
        }
    }
    let text = if by_question.is_empty() {
        "There are no two arms that differ in inputs, classes or variant alone."
    } else {
        "Arms that differ in one thing alone, on the same subjects and the same bootstrap resamples \
         of them. p: two-sided, of no difference; corrected (Holm) for all comparisons of one \
         measure to one question. Other measures: comparisons.tsv."
    };
    Section {
        title: "Paired comparisons".to_owned(),
        text: vec![text.to_owned()],
        tables: by_question,
        ..Section::default()
    }
}

fn strata_section(results: &Results<'_>) -> Section {
    let mut tables_of = Vec::new();
    for class in LesionClass::ALL {
        let mut header = vec!["arm".to_owned()];
        let mut rows = Vec::new();
        for (number, arm) in results.plan.arms.iter().enumerate() {
            if !arm.classes.contains(&class) {
                continue;
            }
            let scans: Vec<&ScanResult> = results.by_unit(number).into_iter().flatten().collect();
            let strata = tables::strata_of(&scans, class);
            if rows.is_empty() {
                header.extend(strata.iter().map(|(_, name, _)| (*name).to_owned()));
            }
            let mut row = vec![title(arm)];
            row.extend(
                strata.iter().map(|(_, _, [truth, found, wrong])| {
                    format!("{found} of {truth}\n{wrong} false")
                }),
            );
            rows.push(row);
        }
        if !rows.is_empty() {
            tables_of.push(TextTable { title: class.name().to_owned(), header, rows });
        }
    }
    Section {
        title: "By size and site".to_owned(),
        text: vec![
            "Lesions found of those there are, and false positives, by the diameter of the ball of \
             the same volume and by site (from the brain's extent alone)."
                .to_owned(),
        ],
        tables: tables_of,
        ..Section::default()
    }
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

fn people_section(results: &Results<'_>) -> Section {
    let names = |cases: &[deepmir_net::CaseFiles]| {
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
        ["fold", "held out", "true CMB", "true NHID", "thresholds chosen on", "scans learned from"];
    Section {
        title: "Who was where".to_owned(),
        tables: vec![TextTable {
            title: String::new(),
            header: header.map(str::to_owned).to_vec(),
            rows: rows.collect(),
        }],
        ..Section::default()
    }
}

/// The best of the arms that tell most classes, by mean F1.
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
