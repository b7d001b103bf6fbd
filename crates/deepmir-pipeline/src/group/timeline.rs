//! Changes over sessions, of all subjects.

use std::path::{Path, PathBuf};

use super::{Cell, Row, Table};
use crate::PipelineError;
use crate::run::{SubjectStatus, TIMELINE_COLUMNS};

/// Every subject's table of changes under one another.
pub(super) fn table(out: &Path, rows: &[Row]) -> Result<Table, PipelineError> {
    let mut columns = vec![("participant_id", Cell::Text(None))];
    columns.extend(TIMELINE_COLUMNS.map(|name| (name, kind(name))));
    let mut subjects: Vec<&str> = rows.iter().map(|row| row.subject.as_str()).collect();
    subjects.dedup();
    let mut laid_out = Vec::new();
    for subject in subjects {
        let Some(stage) = SubjectStatus::read(out, subject).and_then(|status| status.timeline)
        else {
            continue;
        };
        let is_table = |path: &&PathBuf| path.to_string_lossy().ends_with("_timeline.tsv");
        for path in stage.outputs.keys().filter(is_table).map(|path| out.join(path)) {
            let text = std::fs::read_to_string(&path)
                .map_err(|source| PipelineError::Read { path: path.clone(), source })?;
            for line in text.lines().skip(1) {
                let mut texts = line.split('\t');
                let mut row = vec![Cell::text(subject)];
                // Tables of earlier versions have fewer columns.
                let cell = |name: &&str| parse(kind(name), texts.next().unwrap_or("n/a"));
                row.extend(TIMELINE_COLUMNS.iter().map(cell));
                laid_out.push(row);
            }
        }
    }
    Ok(Table { columns, rows: laid_out })
}

fn kind(name: &str) -> Cell {
    match name {
        "lesion_before" | "lesion_after" => Cell::Count(None),
        _ if name.ends_with("chi_total_before_ppm_mm3") || name.ends_with("after_ppm_mm3") => {
            Cell::Number(None, 4)
        }
        "change_probability" => Cell::Number(None, 4),
        _ if name.starts_with("volume") => Cell::Number(None, 3),
        _ if name.ends_with("_mm") => Cell::Number(None, 2),
        _ => Cell::Text(None),
    }
}

fn parse(kind: Cell, text: &str) -> Cell {
    let there = Some(text).filter(|&text| text != "n/a");
    match kind {
        Cell::Text(_) => Cell::Text(there.map(str::to_owned)),
        Cell::Number(_, digits) => Cell::Number(there.and_then(|text| text.parse().ok()), digits),
        Cell::Count(_) => Cell::Count(there.and_then(|text| text.parse().ok())),
    }
}
