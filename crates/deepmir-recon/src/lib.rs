//! From the raw gradient-echo scan to maps: field, susceptibility, SWI, R2*, brain mask; and rigid
//! registration of other images of the same head.

pub mod accuracy;
pub mod background;
pub mod brain;
mod config;
mod conjugate_gradients;
pub mod dipole;
mod error;
pub mod fourier;
pub mod input;
pub mod inversion;
pub mod output;
mod padding;
pub mod phase;
mod pipeline;
pub mod r2star;
pub mod register;
pub mod reliability;
pub mod swi;

pub use config::{ReconConfig, Unwrapping};
pub use error::ReconError;
pub use padding::Padding;
pub use pipeline::{Reconstruction, Stage, reconstruct};

/// Proton gyromagnetic ratio over 2π, in hertz per tesla.
pub const GYROMAGNETIC_RATIO_HZ_PER_T: f64 = 42.577_478e6;
