//! From what every cell kept to tables.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::StudyError;
use crate::page;
use crate::plan::cell::Cell;
use crate::plan::layout::StudyPlan;
use crate::results::comparison::{Comparison, compare};
use crate::results::scan::{self, ScanResult};
use crate::results::summary::{SummaryRow, summarise};
use crate::results::tables;
use crate::run::cell::Done;
use deepmir_cases::bids;

/// Everything that the finished cells said, scan by scan.
pub struct Results<'a> {
    pub(crate) plan: &'a StudyPlan,
    pub(crate) scans: Vec<ScanResult>,
    /// Cells that count, with what they say of themselves.
    pub(crate) cells: Vec<(&'a Cell, Done)>,
}

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

impl<'a> Results<'a> {
    /// An arm's results unit by unit (subjects, those of one anatomy together), in the same order
    /// for every arm.
    pub(crate) fn by_unit(&self, arm: usize) -> Vec<Vec<&ScanResult>> {
        let mut units: BTreeMap<usize, Vec<&ScanResult>> = BTreeMap::new();
        for result in self.scans.iter().filter(|result| result.arm == arm) {
            units.entry(result.unit).or_default().push(result);
        }
        units.into_values().collect()
    }

    /// An arm's results, cell by cell: fold's position, seed, results.
    pub(crate) fn by_cell(&self, arm: usize) -> Vec<(usize, u64, Vec<&ScanResult>)> {
        let mut cells: BTreeMap<(u64, usize), Vec<&ScanResult>> = BTreeMap::new();
        for result in self.scans.iter().filter(|result| result.arm == arm) {
            cells.entry((result.seed, result.fold)).or_default().push(result);
        }
        cells.into_iter().map(|((seed, fold), results)| (fold, seed, results)).collect()
    }

    /// Subjects that were predicted, those of one anatomy as one.
    pub(crate) fn units(&self) -> usize {
        self.scans.iter().map(|result| result.unit).collect::<BTreeSet<_>>().len()
    }
}

/// Reads what every cell kept, writes the tables and the page, and gives them back. With `partial`
/// those folds and seeds count in which every arm is finished. `progress` hears of scans done, and
/// of how many.
///
/// # Errors
/// Unfinished cells, kept files or images that cannot be read, a folder that cannot be written to.
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
        // Every cell is done, and nobody needs the images any more.
        let _ = std::fs::remove_dir_all(plan.cache());
    }
    Ok(Collected { summary, comparisons, page })
}

fn read<'a>(
    plan: &'a StudyPlan,
    partial: bool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Results<'a>, StudyError> {
    let cells = counted(plan, partial)?;
    let participants = &plan.participants;
    let units: Vec<String> =
        participants.groups_of(&participants.cohort.cases).into_iter().collect();
    let done = AtomicUsize::new(0);
    let total = participants.cohort.cases.len();
    let scans: Vec<Vec<ScanResult>> = participants
        .cohort
        .cases
        .par_iter()
        .map(|case| {
            let of_case: Vec<&Cell> = cells
                .iter()
                .map(|(cell, _)| *cell)
                .filter(|cell| plan.fold(cell).held_out.iter().any(|held| held.id == case.id))
                .collect();
            let unit = units.binary_search(&participants.group(&case.id)).unwrap_or(0);
            let results = match of_case.is_empty() {
                true => Vec::new(),
                false => scan::results(plan, case, unit, &of_case)?,
            };
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            Ok(results)
        })
        .collect::<Result<_, StudyError>>()?;
    Ok(Results { plan, scans: scans.into_iter().flatten().collect(), cells })
}

/// The cells that count.
fn counted(plan: &StudyPlan, partial: bool) -> Result<Vec<(&Cell, Done)>, StudyError> {
    let mut finished = Vec::new();
    for cell in &plan.cells {
        if let Some(done) = Done::read(&plan.folder(cell))? {
            finished.push((cell, done));
        }
    }
    if finished.len() == plan.cells.len() {
        return Ok(finished);
    }
    let open = plan.cells.len() - finished.len();
    let fault = |reason: String| StudyError::Experiment { path: plan.output.clone(), reason };
    if !partial {
        return Err(fault(format!(
            "{open} of {} cells are not finished; run the study again to go on with them, or see \
             what there is with study collect --partial",
            plan.cells.len()
        )));
    }
    let mut arms: BTreeMap<(u64, usize), usize> = BTreeMap::new();
    for (cell, _) in &finished {
        *arms.entry((cell.seed, cell.fold)).or_default() += 1;
    }
    finished.retain(|(cell, _)| arms.get(&(cell.seed, cell.fold)) == Some(&plan.arms.len()));
    if finished.is_empty() {
        return Err(fault("there is no fold yet in which every arm is finished".to_owned()));
    }
    Ok(finished)
}
