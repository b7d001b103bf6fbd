//! Doing cells: one after another, or here and there at once.

use std::fs::{File, TryLockError};

use deepmir_net::DeviceChoice;

use crate::StudyError;
use crate::plan::cell::Cell;
use crate::plan::layout::StudyPlan;
use crate::run::cell::{CellEvent, Done, work};

/// How a cell stands.
#[derive(Clone, Debug, PartialEq)]
pub enum CellState {
    /// Done, now or before.
    Finished(Done),
    /// Another process is at it.
    Busy,
    /// Nobody has finished it.
    Waiting,
}

/// How each cell stands, in their order.
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

/// Does a cell, unless it is finished or another process is at it. A lock of the operating system
/// keeps others away and vanishes with the process, however that ends.
///
/// # Errors
/// Whatever its training and predictions meet, or a folder that cannot be written to.
pub fn run_cell(
    plan: &StudyPlan,
    cell: &Cell,
    device: DeviceChoice,
    events: &mut dyn FnMut(CellEvent<'_>),
) -> Result<CellState, StudyError> {
    let folder = plan.folder(cell);
    if let Some(done) = Done::read(&folder)? {
        return Ok(CellState::Finished(done));
    }
    std::fs::create_dir_all(&folder)
        .map_err(|source| StudyError::Write { path: folder.clone(), source })?;
    let path = folder.join("lock");
    let failed = |source| StudyError::Write { path: path.clone(), source };
    let lock = File::create(&path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(CellState::Busy),
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    // Another process may have finished it between the look and the lock.
    let done = match Done::read(&folder)? {
        Some(done) => done,
        None => work(plan, cell, device, events)?,
    };
    // The file stays: removed, two processes could hold locks on two files of its name.
    Ok(CellState::Finished(done))
}
