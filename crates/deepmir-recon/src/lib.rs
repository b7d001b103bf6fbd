//! From the raw gradient-echo scan to maps: field, susceptibility, SWI, R2*, brain mask; and rigid
//! registration of other images of the same head.
//!
//! ```no_run
//! use deepmir_recon::input::{EchoParts, ReadOptions, ScanFiles};
//! use deepmir_recon::{ReconConfig, reconstruct};
//!
//! # fn main() -> Result<(), deepmir_recon::ReconError> {
//! let echo = |n: usize| EchoParts::Polar {
//!     magnitude: format!("sub-01_echo-{n}_part-mag_MEGRE.nii.gz").into(),
//!     phase: format!("sub-01_echo-{n}_part-phase_MEGRE.nii.gz").into(),
//! };
//! let files = ScanFiles { echoes: (1..=5).map(echo).collect(), ..Default::default() };
//! let input = files.read(&ReadOptions::default())?;
//! let maps = reconstruct(&input.scan, None, &ReconConfig::default(), |stage| {
//!     eprintln!("{}", stage.name());
//! })?;
//! println!("{} voxels of brain", maps.brain.count());
//! # Ok(())
//! # }
//! ```
//!
//! A scan may also come from memory. Here R2* is fitted to three echoes:
//!
//! ```
//! use deepmir_recon::r2star::{R2StarFit, fit_r2_star};
//! use deepmir_recon::{Echo, GradientEchoScan};
//! use deepmir_volume::{Affine, Grid, Volume};
//!
//! # fn main() -> Result<(), deepmir_recon::ReconError> {
//! let grid = Grid::new([4, 4, 4], Affine::from_spacing([1.0; 3], [0.0; 3]))?;
//! let echoes = [0.005, 0.010, 0.015].map(|echo_time_s: f64| Echo {
//!     name: format!("echo at {echo_time_s} s"),
//!     magnitude: Volume::filled(grid, 100.0 * (-20.0 * echo_time_s).exp() as f32),
//!     phase_rad: Volume::from_fn(grid, |[i, _, _]| 0.1 * i as f32),
//!     echo_time_s,
//! });
//! let scan = GradientEchoScan::new(echoes.into(), 3.0, [0.0, 0.0, 1.0])?;
//! let mask = Volume::filled(grid, true);
//! let r2_star = fit_r2_star(scan.echoes(), &mask, R2StarFit::LogLinear);
//! assert!(r2_star.is_some_and(|map| (map[[1, 2, 3]] - 20.0).abs() < 0.01));
//! # Ok(())
//! # }
//! ```
//!
//! Every stage is a function of its own: [`brain::find_brain`], [`phase`] (offset, unwrapping, fit),
//! [`reliability`], [`background::remove_background`], [`inversion::invert`], [`swi`], [`r2star`].
//! Fields and susceptibility are in ppm, positive where the field is higher (paramagnetic); times in
//! seconds, lengths in millimetres, phases in radians. Nothing here is a medical device.

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
mod limits;
pub mod measures;
pub mod output;
mod padding;
pub mod phase;
mod pipeline;
pub mod r2star;
mod reference;
pub mod register;
pub mod reliability;
pub mod scan;
pub mod separation;
pub mod sign;
pub mod swi;

pub use config::{FieldFitMethod, ReconConfig, Unwrapping};
pub use error::ReconError;
pub use padding::Padding;
pub use pipeline::{Reconstruction, Stage, reconstruct};
pub use reference::{LEAST_FLUID_MM3, Reference, ZeroReference};
pub use scan::{Echo, GradientEchoScan, MeasuredR2};

/// Proton gyromagnetic ratio over 2π, in hertz per tesla.
pub const GYROMAGNETIC_RATIO_HZ_PER_T: f64 = 42.577_478e6;

/// Radians that one ppm of field adds to the phase in a second, at a field strength in tesla.
pub fn radians_per_ppm_second(field_strength_t: f64) -> f64 {
    std::f64::consts::TAU * GYROMAGNETIC_RATIO_HZ_PER_T * field_strength_t * 1e-6
}
