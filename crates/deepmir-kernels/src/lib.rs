#![doc = include_str!("../README.md")]
//!
//! # Modules
//!
//! - [`nchw`]: the kernels on NCHW tensors, one call each: 3×3, 1×1 and 2×2 transposed
//!   convolutions, 2×2 maxima, batch norm with ReLU, all with their gradients.
//! - [`unet`]: a whole U-Net, for inference on packed weights and for training steps.
//! - [`unet3d`]: a U-Net of 3×3×3 convolutions with instance norms, likewise.
//! - [`classifier`]: a small 3D network that classifies patches of images, likewise.
//! - [`parameters`]: tensors, gradients and batch statistics by name, which both networks share.
//! - [`conv3x3`], [`conv1x1`], [`upconv`] and the rest: the kernels on [`Map`]s of sixteen-channel
//!   blocks, each with a fused prologue and epilogue, to build other networks from.
//!
//! # Method
//!
//! 3×3 convolutions and their gradients run as Winograd's F(4×4, 3×3) (Lavin & Gray 2016) with
//! interpolation points that halve its usual error: 1.1e-6 of the outputs' deviation with 128
//! channels, where direct summation has 0.5e-6. It needs a quarter of the multiplications of
//! direct summation. At every layer of a U-Net but the first it is faster than direct summation
//! would be at the speed of the machine's sgemm (`deepmir-bench` prints by how much). For small maps
//! with many channels, weights are transformed on the fly in the cache, which reads a quarter of
//! the memory. Packed weights that half precision represents exactly, such as those of a model
//! from a file, are stored in it and widened in registers: the same bits from half the memory.
//!
//! Batch norm and ReLU run in the prologue of the next kernel or the epilogue of the last one. A
//! concatenation is a kernel that reads two maps. No im2col matrix is ever materialised: kernels
//! work on tiles in a few hundred kilobytes per thread from the [`Engine`]'s [`Arena`].
//!
//! The same source is compiled for AVX-512, AVX2 with FMA, NEON and any CPU, and selected at run
//! time; `DEEPMIR_INSTRUCTION_SET` forces one ([`Engine::from_environment`]). Threads are those
//! of the current rayon pool. The order of every reduction is fixed by shapes alone: results are
//! the same bits for any number of threads.
//!
//! # Unsafe code
//!
//! Only in `simd` (the intrinsics, behind tokens that detection hands out) and in one bounds check
//! hoisted out of a loop (`winograd/points.rs`). `tests/small.rs` says how Miri covers both, for
//! instruction sets that are not at hand too.

mod arena;
mod block;
mod channels;
pub mod classifier;
pub mod conv1x1;
pub mod conv3x3;
mod elementwise;
mod engine;
mod error;
mod filter3x3;
mod gemm;
mod half;
mod head;
mod layout;
pub mod nchw;
mod norm;
pub mod parameters;
mod pointwise;
mod pool;
mod prologue;
mod reduction;
mod simd;
mod slices;
mod source;
mod tiling;
pub mod unet;
pub mod unet3d;
pub mod upconv;
mod winograd;

pub use arena::{Arena, Buffer, FeatureMap};
pub use block::{Block, LANES, Map, MapMut, Shape};
pub use channels::Channels;
pub use conv1x1::PackedConv1x1;
pub use conv3x3::PackedConv3x3;
pub use engine::Engine;
pub use error::KernelError;
pub use head::{Activation, head};
pub use layout::{channel_sums, copy, from_nchw, to_nchw};
pub use norm::{Gate, Moments, Norm, NormGradient, ReluGradient, norm_gradient};
pub use pool::{max_pool, max_pool_gradient};
pub use prologue::{Affine, Prologue};
pub use simd::{InstructionSet, UnknownInstructionSet};
pub use source::Source;
pub use upconv::PackedUpConv;
