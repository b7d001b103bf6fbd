//! CPU convolution kernels on plain slices, for U-Nets: no framework, no volumes.
//!
//! - [`nchw`]: the kernels on NCHW tensors, one call each: 3×3, 1×1 and 2×2 transposed
//!   convolutions, 2×2 maxima, batch norm with ReLU, all with their gradients.
//! - [`unet`]: a whole U-Net, for inference on packed weights and for training steps.
//! - [`classifier`]: a small 3D network on blocks of images, the same.
//! - [`conv3x3`], [`conv1x1`], [`upconv`] and the rest: the kernels on [`Map`]s of sixteen-channel
//!   blocks, fused with what surrounds them, to build other networks from.
//!
//! # Method
//!
//! 3×3 convolutions and their gradients run as Winograd's F(4×4, 3×3) (Lavin & Gray 2016) with
//! points that halve its usual error: 1.1e-6 of the outputs' deviation with 128 channels, where
//! plain summation has 0.5e-6. It does a quarter of the products of the plain sum, and at every
//! layer of a U-Net but the first it is faster than the plain sum would be at the speed of the
//! machine's sgemm (`cargo bench` prints by how much). Weights of small maps with many channels
//! are transformed on the fly in the cache, which reads a quarter of the memory. Packed weights
//! that half precision has exactly, as those of a model from a file, are kept in it, and made
//! single in registers: the same bits from half the memory.
//!
//! Batch norm and ReLU happen as the next kernel reads or as the last one writes; concatenation
//! is reading two maps. Nothing the size of a network is ever unrolled: kernels work in a few
//! hundred kilobytes a thread from the [`Engine`]'s arena.
//!
//! The same source is compiled for AVX-512, AVX2 with FMA, NEON and any CPU, and picked at run
//! time; `DEEPMIR_INSTRUCTION_SET` forces one ([`Engine::from_environment`]). Threads are those
//! of the rayon pool at hand. The order of every sum is fixed by shapes alone: results are the
//! same bits for any number of threads.
//!
//! # Example
//!
//! ```
//! use deepmir_kernels::nchw::{self, Tensor};
//! use deepmir_kernels::{Engine, Shape};
//!
//! let engine = Engine::new();
//! let shape = Shape::new(1, 1, 3, 3);
//! let image = Tensor::new(&[0., 0., 0., 0., 2., 0., 0., 0., 0.], shape);
//! let (weights, bias) = ([1., 2., 3., 4., 5., 6., 7., 8., 9.], [1.]);
//! let mut output = [0.; 9];
//! nchw::conv3x3(&engine, image, &weights, &bias, &mut output);
//! let expected = [19., 17., 15., 13., 11., 9., 7., 5., 3.];
//! assert!(output.iter().zip(expected).all(|(value, right)| (value - right).abs() < 1e-5));
//! ```
//!
//! # Unsafe code
//!
//! Only in `simd` (the intrinsics, behind tokens that detection hands out) and in one bounds check
//! hoisted out of a loop (`winograd/points.rs`). `tests/small.rs` says how Miri covers both, for
//! instruction sets that are not at hand too.

mod arena;
mod bands;
mod block;
mod channels;
pub mod classifier;
pub mod conv1x1;
pub mod conv3x3;
mod engine;
mod half;
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
pub use conv1x1::PackedConv1x1;
pub use conv3x3::PackedConv3x3;
pub use engine::Engine;
pub use head::{Activation, head};
pub use layout::{channel_sums, copy, from_nchw, to_nchw};
pub use norm::{Gate, Moments, Norm, NormGradient, ReluGradient, norm_gradient};
pub use pool::{max_pool, max_pool_gradient};
pub use simd::{InstructionSet, UnknownInstructionSet};
pub use source::{Affine, Entry, Source};
pub use upconv::PackedUpConv;
