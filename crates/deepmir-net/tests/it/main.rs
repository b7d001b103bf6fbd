//! Tests against PyTorch and of whole trainings; one binary, so that it links once.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

mod training;
