//! The U-Net, planned and fused: inference on packed weights, and training.
//!
//! A network is described by an [`Architecture`] and its tensors by name; nothing here knows a
//! framework. [`Network`] runs it; [`Step`] is a forward pass that remembers what its backward
//! pass needs.

mod architecture;
mod network;
mod train;

pub use architecture::{Architecture, Tensor, UNetError};
pub use network::Network;
pub use train::{Gradients, Parameters, Statistics, Step};
