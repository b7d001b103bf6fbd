//! The page of a comparison.

use deepmir_report::{Section, StudyPage, TextTable};

use super::words::{inputs, plural};
use super::{figures, tables};
use crate::StudyError;
use crate::qualify::compare::{Compared, ComparedGroup};

pub(crate) fn comparison_page(compared: &Compared) -> Result<StudyPage, StudyError> {
    let rows = compared.groups.iter().map(|group| {
        let mut row = vec![group.kind.clone(), named(group)];
        row.extend(tables::difference(&group.difference));
        row
    });
    let header = [&["kind", "inputs"][..], &tables::DIFFERENCE_HEADER[..]].concat();
    let table = TextTable {
        title: String::new(),
        header: header.into_iter().map(str::to_owned).collect(),
        rows: rows.collect(),
    };
    let mut plots = Vec::new();
    for group in &compared.groups {
        let name = format!("{} with {}", group.kind, named(group));
        plots.extend(figures::difference(&name, &group.difference)?);
    }
    let side = |n: usize| Section {
        title: format!("The {}", ["first", "second"][n]),
        tables: vec![TextTable {
            title: String::new(),
            header: vec!["what".to_owned(), "value".to_owned()],
            rows: tables::provenance(&compared.sides[n], "summary.json")
                .into_iter()
                .map(|(name, value)| vec![name, value])
                .chain([vec!["folder".to_owned(), compared.folders[n].display().to_string()]])
                .collect(),
        }],
        ..Section::default()
    };
    Ok(StudyPage {
        kind: "limits of detection",
        title: "Which one finds smaller lesions?".to_owned(),
        lead: compared.groups.iter().map(sentence).collect(),
        warnings: Vec::new(),
        sections: vec![
            Section {
                title: "The second against the first".to_owned(),
                text: vec![tables::DIFFERENCE.to_owned()],
                tables: vec![table],
                figures: plots,
                ..Section::default()
            },
            side(0),
            side(1),
        ],
        provenance: vec![
            ("program".to_owned(), compared.program.clone()),
            ("command".to_owned(), compared.command.clone()),
            ("results".to_owned(), "comparison.json".to_owned()),
        ],
    })
}

fn named(group: &ComparedGroup) -> String {
    let [a, b] = &group.inputs;
    if a == b { a.clone() } else { format!("{a}, then {b}") }
}

fn sentence(group: &ComparedGroup) -> String {
    let what = plural(&group.kind);
    let [a, b] = &group.inputs;
    let with = if a == b { inputs(a) } else { format!("{}, then {}", inputs(a), inputs(b)) };
    let difference = &group.difference;
    // Beside a number, and beside a comparison.
    let (of_them, more) = if difference.pairs.is_some() {
        (format!("the same {what}"), format!("of the same {what}"))
    } else {
        let these = format!("{what} of the same diameters and susceptibilities");
        (these.clone(), these)
    };
    let Some(told) = difference.comparable() else {
        let are_all_found = difference.counts.iter().all(|count| count.found == count.implants);
        let why = if are_all_found {
            "all were found on both sides"
        } else if difference.pairs.is_some() || difference.sensitivity.is_none() {
            "one scan is too little"
        } else {
            "the implants differ, and a curve cannot be fitted on both sides"
        };
        return format!("With {with}, which finds more {more} cannot be told: {why}.");
    };
    let points = (100.0 * told.value).round().abs();
    if told.low > 0.0 {
        format!("With {with}, the second finds more {more}: {points:.0} in a hundred more.")
    } else if told.high < 0.0 {
        format!("With {with}, the second finds fewer {more}: {points:.0} in a hundred fewer.")
    } else {
        format!(
            "With {with}, no difference in the share found of {of_them} is beyond chance ({:+.0} in a hundred, \
             {:+.0} to {:+.0}).",
            100.0 * told.value,
            100.0 * told.low,
            100.0 * told.high
        )
    }
}
