//! Matrix products on blocks.

mod correlation;
mod matmul;
mod outer_product;

pub(crate) use correlation::{Correlation, ItemRange, correlate};
pub(crate) use matmul::Gemm;
