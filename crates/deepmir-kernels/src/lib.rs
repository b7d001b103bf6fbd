//! CPU convolution kernels on plain slices, for U-Nets: no Burn, no volumes.

mod arena;
mod bands;
mod block;
mod channels;
pub mod conv1x1;
pub mod conv3x3;
mod engine;
mod head;
mod layout;
pub mod nchw;
mod norm;
mod pieces;
mod pixelwise;
mod pool;
mod product;
mod simd;
mod source;
pub mod unet;
pub mod upconv;
mod winograd;

pub use arena::{Arena, Buffer};
pub use block::{Block, FeatureMap, LANES, Map, MapMut, Shape};
pub use channels::Channels;
pub use conv3x3::PackedConv3x3;
pub use engine::Engine;
pub use head::{Activation, head};
pub use layout::{channel_sums, copy, from_nchw, to_nchw};
pub use norm::{Gate, Moments, Norm, NormGradient, ReluGradient, norm_gradient};
pub use pool::{max_pool, max_pool_gradient};
pub use simd::{InstructionSet, UnknownInstructionSet};
pub use source::{Affine, Entry, Source};
