//! The page of a qualification.

mod comparison;
mod figures;
mod tables;
mod words;

use deepmir_report::{Section, StudyPage};

use super::measure::Rows;
use super::rows::CallRow;
use super::summary::Summary;
use super::tally::Cell;
use crate::StudyError;
pub(crate) use comparison::comparison_page;

/// Fewer subjects than this make intervals rough.
const FEW: usize = 8;
/// So many calls are listed on the page; the tables hold all.
const LISTED: usize = 40;

pub(crate) fn page(
    summary: &Summary,
    found: &Rows,
    cells: &[Cell],
    false_calls: &[CallRow],
    native: &[CallRow],
) -> Result<StudyPage, StudyError> {
    let provenance = &summary.provenance;
    Ok(StudyPage {
        kind: "limit of detection",
        title: "How small a lesion is found here?".to_owned(),
        lead: lead(summary),
        // Below what was found: it is the first thing to read.
        warnings: Vec::new(),
        sections: vec![
            care(summary),
            Section {
                title: "Sensitivity against diameter".to_owned(),
                text: vec![CURVES.to_owned()],
                figures: figures::curves_of(&summary.sensitivity, &found.implants)?,
                tables: vec![tables::limits(&summary.sensitivity)],
                ..Section::default()
            },
            Section {
                title: "Diameter and susceptibility".to_owned(),
                figures: figures::heat_maps(&found.implants)?,
                ..Section::default()
            },
            gains(summary),
            Section {
                title: "By site".to_owned(),
                tables: vec![tables::sites(cells)],
                ..Section::default()
            },
            Section {
                title: "Called what?".to_owned(),
                text: vec![
                    "An implant is found if anything was called there; its class is another matter. Calcifications, \
                     veins and other mimics were implanted to be called nothing."
                        .to_owned(),
                ],
                tables: vec![tables::confusion(&summary.confusion)],
                ..Section::default()
            },
            Section {
                title: "What does the threshold do?".to_owned(),
                text: vec![threshold_text(summary)],
                figures: figures::thresholds(&summary.thresholds, &found.implants)?,
                tables: vec![tables::thresholds(&summary.thresholds)],
                ..Section::default()
            },
            Section {
                title: "Calls that are no implant's".to_owned(),
                text: vec![
                    "Calls in implanted scans that lie in no implant and in no place where something was called, with \
                     all images, or labelled before. With fewer inputs the model may call what it does not call with \
                     all. They may be false, and they may be lesions that nobody has labelled: an \
                     implant nearby can lift an old one over the threshold."
                        .to_owned(),
                    listed(false_calls.len(), "false_calls.tsv"),
                ],
                tables: [tables::false_calls(&summary.false_calls)]
                    .into_iter()
                    .chain(tables::calls("The most probable", false_calls, LISTED))
                    .collect(),
                ..Section::default()
            },
            Section {
                title: "For a look".to_owned(),
                text: native_text(found, native),
                tables: tables::calls("", native, LISTED).into_iter().collect(),
                ..Section::default()
            },
            Section {
                title: "What this test can and cannot show".to_owned(),
                text: LIMITS.iter().map(|text| (*text).to_owned()).collect(),
                ..Section::default()
            },
            Section {
                title: "For a methods section".to_owned(),
                text: vec![words::methods(summary)],
                ..Section::default()
            },
        ]
        .into_iter()
        .filter(|section| !section.text.is_empty() || !section.tables.is_empty() || !section.figures.is_empty())
        .collect(),
        provenance: tables::provenance(provenance, "implants.tsv, false_calls.tsv, native_calls.tsv, \
                 sensitivity.tsv, summary.json"),
    })
}

const CURVES: &str = "The share found is a logistic function of the logarithms of diameter and susceptibility, \
    fitted to all implants of a kind. Nothing is said beyond the sizes that were implanted. Diameters are those \
    of the iron, not of the larger dark spot that it makes.";

const LIMITS: [&str; 5] = [
    "It can show how small and how weak a lesion these scans, this reconstruction and this model let one find, \
     what each input adds, and whether another protocol or model finds smaller ones.",
    "Implants are synthetic: balls and grown shapes of even susceptibility at places chosen by chance. Lesions \
     of patients have other shapes, lie where disease puts them, and come with tissue changes that are not \
     implanted. Sensitivity for them may be lower.",
    "It says little of specificity. What resembles lesions in these scans was not labelled by anyone, and \
     places that were called before are left out.",
    "Where only maps were there, and no raw echoes, implants are an approximation, which is said in their records.",
    "It is about these scans. Other scanners, protocols and patients need their own.",
];

fn lead(summary: &Summary) -> Vec<String> {
    let mut lead: Vec<String> = summary.sensitivity.iter().map(words::limit_sentence).collect();
    let calls = summary
        .false_calls
        .iter()
        .map(|calls| format!("{:.1} with {}", calls.per_scan.value, words::inputs(&calls.inputs)));
    let calls: Vec<String> = calls.collect();
    lead.push(format!(
        "Calls elsewhere in each scan: {}. {} implanted scan{}, model {}.",
        calls.join(", "),
        summary.scans,
        if summary.scans == 1 { "" } else { "s" },
        summary.provenance.model
    ));
    lead
}

fn care(summary: &Summary) -> Section {
    Section { title: "To read with care".to_owned(), text: warnings(summary), ..Section::default() }
}

fn warnings(summary: &Summary) -> Vec<String> {
    let mut warnings = Vec::new();
    match (summary.units_are_subjects, summary.units) {
        (false, 0 | 1) => warnings.push(
            "One scan: intervals take its implants for independent and say nothing of other scans."
                .to_owned(),
        ),
        (false, units) => warnings.push(format!(
            "One subject, in {units} scans: intervals say nothing of other subjects."
        )),
        (true, units) if units < FEW => warnings.push(format!(
            "{units} subjects: intervals from so few are rough and tend to be too narrow."
        )),
        _ => {}
    }
    for group in
        summary.sensitivity.iter().filter(|group| group.separated && !group.curves.is_empty())
    {
        warnings.push(format!(
            "{} with {}: size separates what is found from what is missed, so \
             that the slope of the curve is not told by the data and Firth's penalised estimate is shown.",
            group.kind,
            words::inputs(&group.inputs)
        ));
    }
    for (scan, reason) in &summary.failed {
        warnings.push(format!("{scan} was left out: {reason}"));
    }
    warnings
}

fn gains(summary: &Summary) -> Section {
    let text = "The same implants with more inputs, against the fewest.".to_owned();
    Section {
        title: "What does each input add?".to_owned(),
        text: if summary.input_gains.is_empty() {
            vec!["The scans were read with one set of inputs.".to_owned()]
        } else {
            vec![text, tables::DIFFERENCE.to_owned()]
        },
        tables: tables::gains(&summary.input_gains).into_iter().collect(),
        ..Section::default()
    }
}

fn threshold_text(summary: &Summary) -> String {
    let own: Vec<String> = summary
        .provenance
        .model_thresholds
        .iter()
        .map(|(class, threshold)| format!("{threshold:.2} for {class}"))
        .collect();
    let calls = match own.is_empty() {
        true => "The model's thresholds depend on the images that it is given.".to_owned(),
        false => {
            format!("The model calls candidates of a probability of {} on.", own.join(" and "))
        }
    };
    format!(
        "{calls} Here one threshold serves both classes; \
         candidates that are too small or too large for a lesion stay out whatever their probability."
    )
}

fn native_text(found: &Rows, native: &[CallRow]) -> Vec<String> {
    let source = match (&found.untouched, native.is_empty()) {
        (Some(_), true) => "Nothing was called in the untouched scans.",
        (Some(_), false) => {
            "Calls in the untouched scans. They may be lesions that nobody has labelled, or false: a person \
             has to look."
        }
        (None, true) => {
            "The untouched scans were not given, and nothing was called where something may have been before."
        }
        (None, false) => {
            "The untouched scans were not given. These calls in implanted scans lie where something was called \
             or labelled before anything was implanted. They may be lesions that nobody has labelled, or false: \
             a person has to look."
        }
    };
    vec![source.to_owned(), listed(native.len(), "native_calls.tsv")]
}

fn listed(count: usize, table: &str) -> String {
    if count > LISTED {
        format!("The {LISTED} most probable of {count}; all: {table}.")
    } else {
        format!("{count}, all in {table}.")
    }
}
