//! Tests of the crate from outside.

mod common;

mod background;
mod chain;
mod dipole;
mod files;
mod phase;
mod registration;
mod robustness;
