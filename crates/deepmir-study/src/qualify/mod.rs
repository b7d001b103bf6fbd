//! How small a lesion is found, measured on scans with implants.
//!
//! [`qualify`] predicts every scan of an implanted dataset with each set of inputs, matches what is called with what was
//! implanted, and writes tables and a page; [`compare`] sets two such results against each other. The chance of being
//! found is a [logistic](logistic) function of the logarithms of diameter and susceptibility
//! ([`size_model`]); intervals are those of a bootstrap over subjects ([`sensitivity`]).

pub mod bins;
mod dataset;
mod detect;
pub mod logistic;
pub mod proportion;
mod rows;
mod scans;
pub mod sensitivity;
pub mod size_model;
mod store;
pub mod tally;
mod truth;

pub use dataset::{Event, QualifyOptions, Rows, measure};
pub use rows::{CallPlace, CallRow, ImplantRow};
