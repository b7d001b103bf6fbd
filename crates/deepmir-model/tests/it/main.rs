//! Tests of whole models; one binary, so that it links once.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

mod cross_validation;
mod legacy_formats;
mod shipped;
mod support;
mod training;
