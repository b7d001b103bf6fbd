//! Phase: how good it is, without its offset, unwrapped, fitted over echoes.

mod complex;
mod early;
mod edges;
mod fit;
mod laplacian;
mod offset;
mod romeo;
mod temporal;
mod turns;

use std::f32::consts::TAU;

pub use complex::refine_field;
pub use early::leave_out_late_echoes;
pub use edges::{EdgeWeights, phase_quality};
pub use fit::{FieldFit, fit_field};
pub use laplacian::unwrap_laplacian;
pub use offset::{OffsetConfig, Readout, remove_phase_offset};
pub use romeo::unwrap_romeo;
pub use temporal::unwrap_in_time;

/// The angle's equivalent between −π and π.
pub fn wrapped(angle: f32) -> f32 {
    angle - TAU * (angle / TAU).round()
}
