//! Bytes to data elements. Every length is checked against the bytes that are there before it is believed, so that memory
//! is bounded by the size of the file; values are slices of the file, and nested data sets are read when they are asked for.

mod dataset;
mod file;
pub mod tags;
mod value;

pub use dataset::Dataset;
pub use file::{Encoding, Parsed, open, read_header};
pub use tags::Tag;
