//! 3×3 convolutions with stride 1 and zero padding.

mod packed;
mod train;

pub use packed::PackedConv3x3;
pub use train::{GatedGradient, forward, input_gradient, weight_gradient};
