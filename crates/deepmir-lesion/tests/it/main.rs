//! Metrics against independent programs; one binary, so that it links once.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

mod agreement;
mod independent_scores;
mod maps;
mod reloaded;
mod valdo;
