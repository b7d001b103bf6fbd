//! Segmentation networks of other people, as ONNX files: windows of a volume through a network to probability maps.
//!
//! [`NetworkLayout`] describes how the network takes images, [`OnnxNetwork`] runs it. The graph is run by
//! [tract](https://github.com/sonos/tract), on the processor and in Rust alone.

mod error;
mod layout;
mod network;
mod windows;

pub use error::OnnxError;
pub use layout::{Activation, NetworkLayout};
pub use network::OnnxNetwork;
