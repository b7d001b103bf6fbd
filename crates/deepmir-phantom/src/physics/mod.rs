//! From susceptibility and relaxation on a fine grid to the complex signal of a scan.

pub mod average;
pub mod dipole;
pub mod field;
pub mod gradient_echo;
pub mod kspace;
pub mod motion;
pub mod polynomial;
pub mod receive;
pub mod spin_echo;
pub mod zero_fill;
