//! Matrix products on blocks.

mod correlate;
mod multiply;
mod outer;

pub(crate) use correlate::{Correlation, Items, correlate};
pub(crate) use multiply::Product;
