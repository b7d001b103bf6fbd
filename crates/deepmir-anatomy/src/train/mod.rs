//! Training.

mod step;
