//! Results of a participant level, read back.

use std::path::{Path, PathBuf};

use deepmir_lesion::{LesionRow, table};

use crate::PipelineError;
use crate::predict::quality::Quality;
use crate::run::{State, SubjectStatus, read_all};

/// What one scan came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// `sub-01_ses-2_run-1`; of a subject without scans, the subject.
    pub scan: String,
    /// `sub-01`.
    pub subject: String,
    /// `2`.
    pub session: Option<String>,
    /// `1`.
    pub run: Option<String>,
    /// How it ended.
    pub state: State,
    /// If it is not done: why.
    pub reason: Option<String>,
    /// Name and checksum of the model.
    pub model: Option<(String, String)>,
    /// What was noticed about its files and images, and about its subject.
    pub warnings: Vec<String>,
    /// Its lesions.
    pub lesions: Vec<LesionRow>,
    /// What its images are like.
    pub quality: Option<Quality>,
    /// Its page and picture, relative to the output folder.
    pub report: Option<PathBuf>,
    /// The picture.
    pub mosaic: Option<PathBuf>,
}

/// Every scan below an output folder, by name.
///
/// # Errors
/// A folder without results, or results that cannot be read.
pub fn collect(out: &Path) -> Result<Vec<Row>, PipelineError> {
    let statuses = read_all(out)?;
    if statuses.is_empty() {
        return Err(PipelineError::Subjects {
            reason: format!("no results here; run the participant level first: {}", out.display()),
        });
    }
    let mut rows = Vec::new();
    for status in &statuses {
        rows.append(&mut of_subject(out, status)?);
    }
    Ok(rows)
}

fn of_subject(out: &Path, status: &SubjectStatus) -> Result<Vec<Row>, PipelineError> {
    let blank = |scan: &str| Row {
        scan: scan.to_owned(),
        subject: status.subject.clone(),
        session: entity(scan, "ses-"),
        run: entity(scan, "run-"),
        state: status.state,
        reason: status.reason.clone(),
        model: None,
        warnings: status.warnings.clone(),
        lesions: Vec::new(),
        quality: None,
        report: None,
        mosaic: None,
    };
    if status.scans.is_empty() {
        return Ok(vec![blank(&status.subject)]);
    }
    let mut rows = Vec::new();
    for scan in &status.scans {
        let mut row = blank(&scan.id);
        row.state = scan.state;
        row.warnings.extend(scan.warnings.iter().map(ToString::to_string));
        row.reason = (scan.state != State::Done).then(|| scan.reasons.join("; "));
        if let (State::Done, Some(stage)) = (scan.state, &scan.predict) {
            let of = |ending: &str| {
                let paths = stage.outputs.keys();
                paths.into_iter().find(|path| path.to_string_lossy().ends_with(ending))
            };
            row.model = scan.model.clone();
            row.report = of("_report.html").cloned();
            row.mosaic = of("_mosaic.png").cloned();
            if let Some(path) = of("_desc-lesions.tsv") {
                row.lesions = table::read(&out.join(path))?;
            }
            if let Some(path) = of("_qc.json") {
                row.quality = Some(quality(&out.join(path))?);
            }
        }
        if row.state == State::Done && row.quality.is_none() {
            // Nobody is graded whose results are not known.
            row.state = State::Failed;
            row.reason =
                Some("its results are not there; run the participant level again".to_owned());
        }
        rows.push(row);
    }
    Ok(rows)
}

fn quality(path: &Path) -> Result<Quality, PipelineError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| PipelineError::Read { path: path.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|error| PipelineError::Table {
        path: path.to_owned(),
        reason: format!("no quality sheet ({error}); run the participant level again"),
    })
}

fn entity(scan: &str, key: &str) -> Option<String> {
    scan.split('_').find_map(|part| part.strip_prefix(key)).map(str::to_owned)
}
