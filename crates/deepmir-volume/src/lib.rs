//! 3D medical volumes: files, geometry and the image operations that everything else stands on.
//!
//! A [`Volume`] is voxels on a [`Grid`]; a grid is a shape and an [`Affine`] to RAS+ millimetres.
//! [`nifti`] reads and writes them; [`Orientation`] brings them to RAS and back without loss;
//! [`resample()`] moves them between grids; [`components`], [`distance`], [`gaussian`] and
//! [`morphology`] work on the voxels. Lengths are millimetres, never voxels, unless a name says so.
//!
//! ```
//! use deepmir_volume::components::{Connectivity, components};
//! use deepmir_volume::{Affine, Grid, Orientation, Volume};
//!
//! # fn main() -> Result<(), deepmir_volume::VolumeError> {
//! // Slices stored from right to left: the orientation is LAS.
//! let affine = Affine::from_rows([
//!     [-0.5, 0.0, 0.0, 8.0],
//!     [0.0, 0.5, 0.0, -8.0],
//!     [0.0, 0.0, 1.0, -8.0],
//!     [0.0, 0.0, 0.0, 1.0],
//! ]);
//! # let affine = affine.unwrap();
//! let grid = Grid::new([32, 32, 16], affine)?;
//! let ball = Volume::from_fn(grid, |voxel| {
//!     grid.position_mm(voxel).iter().map(|part| part * part).sum::<f64>() <= 9.0
//! });
//! let orientation = Orientation::of(grid.affine());
//! assert_eq!(orientation.codes(), "LAS");
//! let in_ras = orientation.to_ras(&ball);
//! let balls = components(&in_ras, false, Connectivity::TwentySix);
//! assert_eq!(balls.len(), 1);
//! let volume_mm3 = balls[0].voxels.len() as f64 * grid.affine().voxel_volume_mm3();
//! assert!((volume_mm3 / 113.1 - 1.0).abs() < 0.05);
//! assert_eq!(orientation.from_ras(&in_ras), ball);
//! # Ok(())
//! # }
//! ```

mod affine;
pub mod atomic;
mod bounding_box;
pub mod components;
pub mod distance;
mod error;
pub mod gaussian;
mod grid;
mod missing;
pub mod morphology;
pub mod nifti;
mod orientation;
mod resample;
pub mod shapes;
pub mod statistics;
mod volume;
mod warning;

pub use affine::Affine;
pub use bounding_box::BoundingBox;
pub use error::{GridMismatch, VolumeError, check_same_grid};
pub use grid::{Grid, SAME_GRID_TOLERANCE_VOXELS};
pub use missing::{cannot_read, with_causes};
pub use orientation::Orientation;
pub use resample::{
    Interpolation, resample, resample_labels, resample_moved, resample_moved_in_range,
    resample_to_spacing,
};
pub use volume::{Mask, Volume};
pub use warning::Warning;
