//! Matrix products (GEMM) on blocks: of convolutions, and of weight gradients.

mod correlation;
mod matmul;
mod outer_product;

pub(crate) use correlation::{Correlation, ItemRange, correlate};
pub(crate) use matmul::Gemm;
