//! Doing cells, by one process or by several at once.

use std::path::Path;

use deepmir_net::DeviceChoice;
use deepmir_pipeline::lock::{Lock, Taken};

use crate::StudyError;
use crate::plan::cell::Cell;
use crate::plan::layout::StudyPlan;
use crate::run::cell::{CellEvent, Done, work};

/// The state of a cell.
#[derive(Clone, Debug, PartialEq)]
pub enum CellState {
    /// Done, now or before.
    Finished(Done),
    /// Another process works on it.
    Busy,
    /// Not finished, by any process.
    Waiting,
}

/// The state of each cell, in their order.
///
/// # Errors
/// If a finished cell's record cannot be read.
pub fn states(plan: &StudyPlan) -> Result<Vec<CellState>, StudyError> {
    let state = |cell: &Cell| {
        let done = Done::read(&plan.folder(cell))?;
        Ok(done.map_or(CellState::Waiting, CellState::Finished))
    };
    plan.cells.iter().map(state).collect()
}

/// Does a cell, unless it is finished or another process works on it.
///
/// A [`Lock`] keeps other processes away, on other machines too. That of a process which is gone from this machine is
/// taken over at once, that of another machine if it shows no heartbeat for a minute.
///
/// # Errors
/// A training or prediction that failed, or a folder that cannot be written to.
pub fn run_cell(
    plan: &StudyPlan,
    cell: &Cell,
    device: DeviceChoice,
    events: &mut dyn FnMut(CellEvent<'_>),
) -> Result<CellState, StudyError> {
    locked(&plan.folder(cell), || work(plan, cell, device, events))
}

/// Does the work of a cell's folder under its lock.
fn locked(
    folder: &Path,
    work: impl FnOnce() -> Result<Done, StudyError>,
) -> Result<CellState, StudyError> {
    if let Some(done) = Done::read(folder)? {
        return Ok(CellState::Finished(done));
    }
    std::fs::create_dir_all(folder)
        .map_err(|source| StudyError::Write { path: folder.to_owned(), source })?;
    let path = folder.join("lock");
    let taken = Lock::take_or_watch(&path);
    let taken = taken.map_err(|source| StudyError::Write { path: path.clone(), source })?;
    let Taken::Ours(_lock) = taken else { return Ok(CellState::Busy) };
    // Another process may have finished it before this one had the lock.
    let done = match Done::read(folder)? {
        Some(done) => done,
        None => work()?,
    };
    Ok(CellState::Finished(done))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_pipeline::lock::{Holder, host};

    fn done() -> Done {
        Done {
            scans: vec!["sub-01".to_owned()],
            parameters: 1,
            training_seconds: 2.0,
            predicting_seconds: 3.0,
            validation_f1: 0.5,
        }
    }

    #[test]
    fn a_cell_that_another_worker_holds_is_busy_until_it_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let held = Lock::take(&folder.path().join("lock"), None).unwrap();
        let busy = locked(folder.path(), || unreachable!("somebody else has it")).unwrap();
        assert_eq!(busy, CellState::Busy);
        drop(held);
        assert_eq!(locked(folder.path(), || Ok(done())).unwrap(), CellState::Finished(done()));
        assert!(!folder.path().join("lock").exists(), "released when done");
    }

    #[test]
    fn the_lock_of_a_dead_process_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        // No process has the highest number.
        let [processes, token] = ["", "x"].map(str::to_owned);
        let dead = Holder { host: host(), pid: u32::MAX, processes, token, beat: 3 };
        std::fs::write(folder.path().join("lock"), serde_json::to_vec(&dead).unwrap()).unwrap();
        assert_eq!(locked(folder.path(), || Ok(done())).unwrap(), CellState::Finished(done()));
    }

    #[test]
    fn a_finished_cell_is_not_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let text = serde_json::to_vec(&done()).unwrap();
        std::fs::write(folder.path().join("done.json"), text).unwrap();
        let state = locked(folder.path(), || unreachable!("it is finished")).unwrap();
        assert_eq!(state, CellState::Finished(done()));
    }
}
