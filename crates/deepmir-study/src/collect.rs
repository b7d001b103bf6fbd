//! A study's tables and page, from the stored predictions of its cells.

use std::path::PathBuf;

use deepmir_cases::bids;

use crate::StudyError;
use crate::page;
use crate::plan::layout::StudyPlan;
use crate::results::comparison::{Comparison, compare};
use crate::results::read::read;
use crate::results::summary::{SummaryRow, summarise};
use crate::results::tables;

/// A study's tables.
#[derive(Clone, Debug)]
pub struct Collected {
    /// Every arm, class and measure.
    pub summary: Vec<SummaryRow>,
    /// Differences between arms.
    pub comparisons: Vec<Comparison>,
    /// The page.
    pub page: PathBuf,
}

/// Reads the stored predictions of every cell, writes the tables and the page, and returns them. With `partial` those
/// folds and seeds count in which every arm is finished. `progress` is called with the number of scans done and of all.
///
/// # Errors
/// Unfinished cells, stored predictions or images that cannot be read, a folder that cannot be written to.
pub fn collect(
    plan: &StudyPlan,
    partial: bool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Collected, StudyError> {
    let results = read(plan, partial, progress)?;
    let summary = summarise(&results);
    let comparisons = compare(&results);
    let write = |name: &str, text: &str| bids::write_text(&plan.output.join(name), text);
    write("arms.tsv", &tables::arms(plan, &summary))?;
    write("cells.tsv", &tables::cells(&results))?;
    write("comparisons.tsv", &tables::comparisons(&comparisons))?;
    write("confusion.tsv", &tables::confusion(&results))?;
    write("strata.tsv", &tables::strata(&results))?;
    write("mistakes.tsv", &tables::mistakes(&results))?;
    write("times.tsv", &tables::times(&results))?;
    bids::write_json(
        &plan.output.join("results.json"),
        &serde_json::json!({ "arms": summary, "comparisons": comparisons }),
    )?;
    let page = plan.output.join("study.html");
    let html = page::page(&results, &summary, &comparisons)?.html()?;
    bids::write_text(&page, &html)?;
    if !partial {
        // Every cell is done: the prepared images are no longer needed.
        let _ = std::fs::remove_dir_all(plan.cache());
    }
    Ok(Collected { summary, comparisons, page })
}
