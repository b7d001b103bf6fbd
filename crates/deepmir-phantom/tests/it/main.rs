//! What is true of the world and must be true of its phantoms.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

mod datasets;
mod fields;
mod heads;
mod implants;
mod signals;
mod support;
