//! What is true of the world and must be true of its phantoms.

mod datasets;
mod fields;
mod heads;
mod signals;
mod support;
