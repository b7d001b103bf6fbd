//! The tables of the study's page.

use deepmir_lesion::LesionClass;
use deepmir_report::intervals::{self, Interval};
use deepmir_report::{Figure, Section, TextTable};

use crate::StudyError;
use crate::plan::arm::Arm;
use crate::results::comparison::Comparison;
use crate::results::read::Results;
use crate::results::scan::ScanResult;
use crate::results::statistics::{AVERAGE_PRECISION, CLASS_ACCURACY};
use crate::results::summary::{NO_DEVIATION, SummaryRow};
use crate::results::tables;

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
const COMPARISONS_SHOWN: [&str; 4] = ["f1", "precision", AVERAGE_PRECISION, CLASS_ACCURACY];

/// An arm's title on the page.
pub(crate) fn title(arm: &Arm) -> String {
    format!("{}: {} → {}", arm.variant, arm.inputs_name(), arm.classes_name())
}

pub(crate) fn main_section(
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
    // The text above says already that one cell has no deviation.
    let reason = match row.note.as_str() {
        "" | NO_DEVIATION => String::new(),
        note => format!("\n({note})"),
    };
    format!(
        "{:.digits$}\n[{:.digits$}, {:.digits$}]{mean}{reason}",
        pooled.value, pooled.low, pooled.high
    )
}

pub(crate) fn confusion_section(results: &Results<'_>, summary: &[SummaryRow]) -> Section {
    let mut rows = Vec::new();
    for (number, arm) in results.plan.arms.iter().enumerate() {
        let scans: Vec<&ScanResult> = results.by_unit(number).into_iter().flatten().collect();
        let accuracy =
            summary.iter().find(|row| row.arm == arm.name && row.measure == CLASS_ACCURACY);
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
                match accuracy {
                    Some(row) if n == 0 => estimate_cell(row, 2),
                    _ => String::new(),
                },
            ]);
        }
    }
    let header = [
        "arm",
        "true structure",
        "how many",
        "predicted CMB",
        "predicted NHID",
        "not predicted",
        "class accuracy",
    ];
    let listed = results.scans.iter().any(|scan| scan.mimics.known);
    let mimics = if listed {
        "Calcifications and other mimics are those that the simulation lists, matched within 1.5 mm of \
         their simulated surface."
    } else {
        "No list of calcifications lies beside the label maps, so that they cannot be counted; \
         `diamagnetic` is the sign of a false positive's susceptibility."
    };
    Section {
        title: "Confusion of classes and mimics".to_owned(),
        text: vec![format!(
            "Lesions are matched regardless of class. Class accuracy: of the true lesions that were \
                 found as anything, the share given its own class. {mimics} “Vessel-like” is a \
                 classification by shape alone (the longest axis 2.5 times the next)."
        )],
        tables: vec![TextTable {
            title: String::new(),
            header: header.map(str::to_owned).to_vec(),
            rows,
        }],
        ..Section::default()
    }
}

pub(crate) fn comparison_section(comparisons: &[Comparison]) -> Section {
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

pub(crate) fn strata_section(results: &Results<'_>) -> Section {
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
