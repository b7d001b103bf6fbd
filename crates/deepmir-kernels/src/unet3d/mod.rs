//! A 3D U-Net (Çiçek et al. 2016) with instance norms (Ulyanov, Vedaldi & Lempitsky 2016), for inference and for
//! training steps on one volume at a time.
//!
//! A 3×3×3 convolution is a 3×3 convolution of each slice joined with its neighbours. A feature map is stored with an empty
//! slice before the first and one after the last: its neighbours are then views of the same memory. The
//! statistics are those of the volume itself, in training and after it, so that there are no running ones.

mod architecture;
mod backward;
mod forward;
mod layers;

pub use architecture::Architecture;
pub use forward::{Step, scores};
