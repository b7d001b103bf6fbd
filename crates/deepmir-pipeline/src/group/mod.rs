//! The group level: the results of a cohort, in tables and on a page.
//!
//! [`collect`] reads the results of a participant level, [`outliers`] finds the unusual,
//! [`tables`] lays them out, and [`write()`] writes `group/subjects`, `group/lesions`,
//! `group/timeline`, `group/visits` (each as TSV and as Parquet) and `group/index.html`. They do not depend on where,
//! when or in which order subjects ran.

mod burden;
mod collect;
mod columns;
mod frequency;
mod outliers;
mod page;
mod parquet;
mod participants;
mod table;
mod tables;
mod timeline;
mod visits;

use std::path::{Path, PathBuf};

use deepmir_volume::atomic;

pub use collect::{Row, collect};
pub use outliers::{MOST_ROBUST_Z, robust_z};
pub use table::{Cell, Table};
#[cfg(test)]
pub(crate) use tables::unmeasured;

use crate::PipelineError;
use crate::run::State;
use deepmir_cases::bids::{write_dataset_description, write_text};
use participants::Participants;

/// What was written, and of how much.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupFiles {
    /// The page.
    pub page: PathBuf,
    /// Every table.
    pub tables: Vec<PathBuf>,
    /// Scans whose lesions are in the tables.
    pub scans: usize,
    /// Scans that have none, as they were skipped or failed, and why.
    pub without: Vec<String>,
}

/// Makes the cohort's tables and page from the results below `out`. The page takes age, sex and site from the
/// `participants.tsv` of the dataset, if that is there.
///
/// # Errors
/// No results, results or a table of participants that cannot be read, or a full disk.
pub fn write(out: &Path, dataset: &Path) -> Result<GroupFiles, PipelineError> {
    let rows = collect(out)?;
    let participants = Participants::read(dataset)?;
    let folder = out.join("group");
    std::fs::create_dir_all(&folder)
        .map_err(|source| PipelineError::Write { path: folder.clone(), source })?;
    let outliers = outliers::outliers(&rows);
    let all = [
        ("subjects", tables::subjects(&rows, &outliers)),
        ("lesions", tables::lesions(&rows)),
        ("timeline", timeline::table(out, &rows)?),
        ("visits", visits::table(out, &rows)?),
    ];
    let mut files = GroupFiles { page: folder.join("index.html"), ..GroupFiles::default() };
    for (name, table) in &all {
        let tsv = folder.join(format!("{name}.tsv"));
        write_text(&tsv, &table.tsv())?;
        let path = folder.join(format!("{name}.parquet"));
        let bytes = parquet::bytes(table)
            .map_err(|source| PipelineError::Write { path: path.clone(), source })?;
        atomic::write(&path, &bytes)
            .map_err(|source| PipelineError::Write { path: path.clone(), source })?;
        files.tables.extend([tsv, path]);
    }
    let [(_, subjects), _, (_, changes), _] = &all;
    let page = page::html(out, &rows, &participants, &outliers, subjects, changes)?;
    write_text(&files.page, &page)?;
    write_dataset_description(out)?;
    files.scans = rows.iter().filter(|row| row.state == State::Done).count();
    let without = rows.iter().filter(|row| row.state != State::Done);
    files.without = without
        .map(|row| {
            let reason = row.reason.as_deref().unwrap_or("unknown");
            format!("{} {}: {reason}", row.state.name(), row.scan)
        })
        .collect();
    Ok(files)
}
