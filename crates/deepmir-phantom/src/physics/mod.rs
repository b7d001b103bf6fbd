//! From susceptibility and relaxation on a fine grid to the complex signal of a scan.

pub mod average;
pub mod dipole;
pub mod fft;
pub mod field;
pub mod gradient_echo;
pub mod kspace;
pub mod motion;
pub mod polynomial;
pub mod receive;
pub mod spin_echo;

/// Gyromagnetic ratio of hydrogen in Hz a tesla (CODATA 2018, shielded in water).
pub const GYROMAGNETIC_RATIO_HZ_PER_TESLA: f64 = 42.577e6;
