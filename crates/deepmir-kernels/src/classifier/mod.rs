//! A small 3D network that classifies patches of an image: inference and training.
//!
//! A 3×3×3 convolution runs as a 3×3 convolution of each slice concatenated with its two neighbour
//! slices (zeros beyond the patch), so that the U-Net's kernels do the work.

mod architecture;
mod backward;
mod dense;
mod forward;
mod layers;
mod network;

pub use architecture::Architecture;
pub use forward::{Dropout, Step};
pub use network::Network;
