//! Planes to volumes, and what each volume is taken for.

mod candidate;
mod decide;
mod echoes;
mod geometry;
mod stack;

pub use decide::{Decision, Taken, decide};
pub use geometry::normal;
pub use stack::{Stack, stacks};
