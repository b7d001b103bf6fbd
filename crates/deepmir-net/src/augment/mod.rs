//! Augmentation of training patches: geometry while they are cut, intensities and missing data after.

mod config;
mod cut;
mod intensity;
mod missing;
mod random;

pub use config::AugmentConfig;
pub use cut::Cut;
pub use intensity::intensities;
pub use missing::{absent_side, misalignment, missing, missing_slice};
pub use random::generator;

#[cfg(test)]
mod tests;
