//! The cohort's page.

use std::collections::BTreeMap;
use std::path::Path;

use deepmir_lesion::DEFINITE_PROBABILITY;
use deepmir_report::{
    CohortColumn, CohortPage, CohortRow, Noticed, OutlierCard, TextTable, thumbnail,
};

use super::outliers::{Outlier, measures};
use super::participants::{self, Participants};
use super::{Cell, MOST_ROBUST_Z, Row, Table, burden, columns, frequency};
use crate::PipelineError;
use crate::run::State;

/// Scans in the gallery at most: the farthest out.
const MOST_OUTLIERS: usize = 24;
/// Changes over sessions that the page shows; all are in `timeline.tsv`.
const MOST_CHANGES: usize = 200;

pub(super) fn html(
    out: &Path,
    rows: &[Row],
    participants: &Participants,
    outliers: &[Outlier],
    subjects: &Table,
    changes: &Table,
) -> Result<String, PipelineError> {
    let extra: Vec<usize> = participants.columns().collect();
    let mut columns: Vec<CohortColumn> = subjects
        .columns
        .iter()
        .map(|(name, kind)| columns::column(name, !matches!(kind, Cell::Text(_))))
        .collect();
    // Behind the columns that say whose scan it is.
    let behind = columns.iter().position(|column| column.name == "state").unwrap_or(0);
    let known = extra.iter().map(|&n| columns::column(participants::COLUMNS[n], n == 0));
    columns.splice(behind..behind, known);
    let page = CohortPage {
        summary: summary(rows),
        failed: failed(rows),
        noticed: noticed(rows),
        columns,
        rows: subjects
            .rows
            .iter()
            .zip(rows)
            .map(|(cells, row)| {
                let mut cells: Vec<String> = cells.iter().map(Cell::shown).collect();
                let known = extra.iter().map(|&n| match n {
                    0 => participants.age(&row.subject).map(|age| age.to_string()),
                    _ => participants.get(&row.subject, n).map(str::to_owned),
                });
                let known = known.map(|value| value.unwrap_or_else(|| "n/a".to_owned()));
                cells.splice(behind..behind, known);
                CohortRow { cells, link: row.report.as_deref().map(address) }
            })
            .collect(),
        leading: burden::prevalence(rows, participants).into_iter().collect(),
        figures: burden::by_age(rows, participants)?,
        frequency: frequency::map(rows),
        measures: distributions(rows),
        outliers: gallery(out, rows, outliers)?,
        tables: timeline(changes),
        notes: notes(),
    };
    Ok(page.html()?)
}

fn failed(rows: &[Row]) -> Vec<Noticed> {
    let without = rows.iter().filter(|row| row.state != State::Done);
    let told = without.map(|row| Noticed {
        scan: row.scan.clone(),
        link: None,
        warnings: vec![format!(
            "{}, {}",
            row.state.name(),
            row.reason.as_deref().unwrap_or("for an unknown reason")
        )],
    });
    told.collect()
}

fn summary(rows: &[Row]) -> String {
    let count = |state| rows.iter().filter(|row| row.state == state).count();
    let mut text = format!("{} scans, {} done", rows.len(), count(State::Done));
    for state in [State::Skipped, State::Failed] {
        if count(state) > 0 {
            text += &format!(", {} {}", count(state), state.name());
        }
    }
    format!("{text}. {}.", crate::program())
}

fn noticed(rows: &[Row]) -> Vec<Noticed> {
    let warned = rows.iter().filter(|row| !row.warnings.is_empty());
    warned
        .map(|row| Noticed {
            scan: row.scan.clone(),
            link: row.report.as_deref().map(address),
            warnings: row.warnings.clone(),
        })
        .collect()
}

/// From the page's folder; what is no plain letter is written as bytes, as addresses are.
fn address(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    let text = path.to_string_lossy();
    let letters = text.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    format!("../{}", letters.collect::<String>())
}

fn distributions(rows: &[Row]) -> Vec<(String, Vec<f64>)> {
    let mut values: Vec<(String, Vec<f64>)> = Vec::new();
    for row in rows {
        for (n, (name, value)) in measures(row).into_iter().enumerate() {
            if values.len() <= n {
                let column = columns::column(name, true);
                let unit = match column.unit.as_str() {
                    "" => String::new(),
                    unit => format!(", {unit}"),
                };
                values.push((column.label + &unit, Vec::new()));
            }
            values[n].1.extend(value);
        }
    }
    values
}

fn gallery(
    out: &Path,
    rows: &[Row],
    outliers: &[Outlier],
) -> Result<Vec<OutlierCard>, PipelineError> {
    let mut order: Vec<usize> = Vec::new();
    let mut findings: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for outlier in outliers {
        if !order.contains(&outlier.row) {
            order.push(outlier.row);
        }
        findings
            .entry(outlier.row)
            .or_default()
            .push(format!("{} {:.4} (robust z {:+.1})", outlier.measure, outlier.value, outlier.z));
    }
    let cards = order.into_iter().take(MOST_OUTLIERS).map(|n| {
        let row = &rows[n];
        let picture = row.mosaic.as_ref().map(|path| thumbnail(&out.join(path))).transpose()?;
        Ok(OutlierCard {
            scan: row.scan.clone(),
            what: findings[&n].join("; "),
            link: row.report.as_deref().map(address),
            picture,
        })
    });
    cards.collect()
}

fn timeline(changes: &Table) -> Vec<TextTable> {
    if changes.rows.is_empty() {
        return Vec::new();
    }
    let more = changes.rows.len().saturating_sub(MOST_CHANGES);
    let title = match more {
        0 => "Lesions over sessions".to_owned(),
        more => format!("Lesions over sessions (the first; {more} more in timeline.tsv)"),
    };
    let rows = changes.rows.iter().take(MOST_CHANGES);
    vec![TextTable {
        title,
        header: changes.columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
        rows: rows.map(|row| row.iter().map(Cell::shown).collect()).collect(),
    }]
}

fn notes() -> Vec<String> {
    vec![
        "cmb_pattern is lobar (strictly lobar), deep (strictly deep or infratentorial) or mixed, by the \
         regions of MARS: those of a parcellation or, where region_source is brain_box, from the position \
         in the brain's bounding box alone."
            .to_owned(),
        format!(
            "cmb_definite counts microbleeds with a probability of at least {DEFINITE_PROBABILITY}, \
             cmb_possible the others."
        ),
        "boston2_* are fields of the Boston criteria v2.0 that these images can tell, and no diagnosis: \
         microbleeds of the cerebellum count neither as lobar nor as deep."
            .to_owned(),
        format!(
            "Outliers lie more than {MOST_ROBUST_Z} robust deviations (1.4826 times \
             the median absolute deviation) from the cohort's median."
        ),
    ]
}
