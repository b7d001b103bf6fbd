//! From the raw gradient-echo scan to maps: field, susceptibility, SWI, R2*, brain mask; and rigid
//! registration of other images of the same head.

mod error;
pub mod fourier;
pub mod input;

pub use error::ReconError;

/// Proton gyromagnetic ratio over 2π, in hertz per tesla.
pub const GYROMAGNETIC_RATIO_HZ_PER_T: f64 = 42.577_478e6;
