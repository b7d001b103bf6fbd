//! Pairs of visits, of all subjects: how many lesions are new.

use std::path::Path;

use serde_json::Value;

use super::{Cell, Row, Table};
use crate::PipelineError;
use crate::run::SubjectStatus;

/// The columns, with the place of each in the sidecar of a comparison.
const COLUMNS: [(&str, &str, Cell); 19] = [
    ("from_scan", "/Baseline/Scan", Cell::Text(None)),
    ("to_scan", "/Followup/Scan", Cell::Text(None)),
    ("comparability", "/Comparability/Verdict", Cell::Text(None)),
    ("years", "/Years", Cell::Number(None, 2)),
    ("cmb_new", "/Changes/CMB/Counts/new", Cell::Count(None)),
    ("cmb_new_low", "/Changes/CMB/New/Low", Cell::Count(None)),
    ("cmb_new_high", "/Changes/CMB/New/High", Cell::Count(None)),
    ("cmb_new_per_year", "/NewMicrobleedsPerYear", Cell::Number(None, 2)),
    ("cmb_gone", "/Changes/CMB/Counts/gone", Cell::Count(None)),
    ("cmb_grown", "/Changes/CMB/Counts/grown", Cell::Count(None)),
    ("cmb_shrunk", "/Changes/CMB/Counts/shrunk", Cell::Count(None)),
    ("cmb_stable", "/Changes/CMB/Counts/stable", Cell::Count(None)),
    ("cmb_new_severity", "/ARIAH/MicrohaemorrhageSeverity", Cell::Text(None)),
    ("nhid_new", "/Changes/NHID/Counts/new", Cell::Count(None)),
    ("nhid_gone", "/Changes/NHID/Counts/gone", Cell::Count(None)),
    ("nhid_grown", "/Changes/NHID/Counts/grown", Cell::Count(None)),
    ("nhid_shrunk", "/Changes/NHID/Counts/shrunk", Cell::Count(None)),
    ("nhid_stable", "/Changes/NHID/Counts/stable", Cell::Count(None)),
    ("registration_disagreement_mm", "/Registration/Disagreement_mm", Cell::Number(None, 2)),
];

/// One row a pair of visits that follow each other.
pub(super) fn table(out: &Path, rows: &[Row]) -> Result<Table, PipelineError> {
    let mut columns = vec![("participant_id", Cell::Text(None))];
    columns.extend(COLUMNS.map(|(name, _, kind)| (name, kind)));
    let mut subjects: Vec<&str> = rows.iter().map(|row| row.subject.as_str()).collect();
    subjects.dedup();
    let mut laid_out = Vec::new();
    for subject in subjects {
        let status = SubjectStatus::read(out, subject);
        let Some(stage) = status.and_then(|status| status.timeline) else { continue };
        let is_sidecar =
            |path: &&std::path::PathBuf| path.to_string_lossy().ends_with("_desc-visits.json");
        for path in stage.outputs.keys().filter(is_sidecar).map(|path| out.join(path)) {
            let text = std::fs::read_to_string(&path)
                .map_err(|source| PipelineError::Read { path: path.clone(), source })?;
            let told: Value =
                serde_json::from_str(&text).map_err(|error| PipelineError::Table {
                    path: path.clone(),
                    reason: format!("{error}; run again with --force"),
                })?;
            let mut row = vec![Cell::text(subject)];
            row.extend(COLUMNS.map(|(_, place, kind)| cell(kind, told.pointer(place))));
            laid_out.push(row);
        }
    }
    Ok(Table { columns, rows: laid_out })
}

fn cell(kind: Cell, value: Option<&Value>) -> Cell {
    match kind {
        Cell::Text(_) => Cell::Text(value.and_then(Value::as_str).map(str::to_owned)),
        Cell::Number(_, digits) => Cell::Number(value.and_then(Value::as_f64), digits),
        Cell::Count(_) => Cell::Count(value.and_then(Value::as_i64)),
    }
}
