//! The program as its users meet it; one binary, so that it links once.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

mod anatomy;
mod annotate;
mod bad_input;
mod compare;
mod config;
mod dicom;
mod doctor;
mod evaluate;
mod evaluate_faults;
mod exchange;
mod headers;
mod help;
mod imported;
mod model;
mod predict;
mod qualify;
mod run;
mod scan;
mod study;
mod support;
mod train;
mod train_faults;
