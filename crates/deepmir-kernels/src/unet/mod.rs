//! The U-Net with fused layers: inference on packed weights, and training.
//!
//! A network is described by an [`Architecture`] and its tensors by name; nothing here knows a
//! framework. [`Network`] runs inference. [`Step`] is a forward pass that stores what its backward
//! pass needs. Names and values go through [`parameters`](crate::parameters).

mod architecture;
mod folding;
mod layers;
mod network;
mod train;

pub use architecture::Architecture;
pub use network::Network;
pub use train::Step;
