//! Tests of the crate from outside.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

mod common;

mod background;
mod brain;
mod chain;
mod dipole;
mod faults;
mod files;
mod measures;
mod phase;
mod reference;
mod registration;
mod robustness;
mod separation;
mod swi;
