//! Doing a study's cells: train, predict who is held out, store the predictions.

pub(crate) mod cell;
pub(crate) mod estimate;
mod queue;
pub(crate) mod stored_predictions;

pub use cell::{CellEvent, Done};
pub use estimate::{Estimate, estimate};
pub use queue::{CellState, run_cell, states};
