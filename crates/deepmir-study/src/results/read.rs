//! The results of every scan, from the stored predictions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::StudyError;
use crate::plan::cell::Cell;
use crate::plan::layout::StudyPlan;
use crate::results::scan::{self, ScanResult};
use crate::run::cell::Done;

/// The results of the finished cells, scan by scan.
pub struct Results<'a> {
    pub(crate) plan: &'a StudyPlan,
    pub(crate) scans: Vec<ScanResult>,
    /// Cells that count, with their records.
    pub(crate) cells: Vec<(&'a Cell, Done)>,
}

impl<'a> Results<'a> {
    /// An arm's results by unit (a subject, or the subjects of one anatomy), in the same order for
    /// every arm.
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

    /// The number of units that were predicted: subjects, those of one anatomy as one.
    pub(crate) fn units(&self) -> usize {
        self.scans.iter().map(|result| result.unit).collect::<BTreeSet<_>>().len()
    }
}

/// Reads the stored predictions of every cell that counts and compares them with the truth. With `partial` those folds and
/// seeds count in which every arm is finished.
pub(crate) fn read<'a>(
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
            "{open} of {} cells are not finished; run the study again to finish them, or collect \
             the finished folds with study collect --partial",
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
