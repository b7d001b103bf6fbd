//! A small 3D network that tells what a block of an image is: inference and training.
//!
//! A 3×3×3 convolution is a 3×3 convolution of each slice joined with the slices below and above it
//! (of zeros beyond the block), so that the kernels of the U-Net do the work.

mod architecture;
mod backward;
mod forward;
mod slices;

pub use architecture::Architecture;
pub use forward::{Dropout, Network, Step};
