//! 3D medical volumes: files, geometry and the image operations that everything else stands on.
//!
//! A [`Volume`] is voxels on a [`Grid`]; a grid is a shape and an [`Affine`] to RAS+ millimetres.
//! [`nifti`] reads and writes them; [`Orientation`] brings them to RAS and back without loss;
//! [`resample()`] moves them between grids; [`components`], [`distance`], [`gaussian`] and
//! [`morphology`] work on the voxels. Lengths are millimetres, never voxels, unless a name says so.

mod affine;
pub mod atomic;
mod bounding_box;
pub mod components;
pub mod distance;
mod error;
pub mod gaussian;
mod grid;
pub mod morphology;
pub mod nifti;
mod orientation;
mod resample;
pub mod statistics;
mod volume;

pub use affine::Affine;
pub use bounding_box::BoundingBox;
pub use error::{GridMismatch, VolumeError};
pub use grid::{Grid, SAME_GRID_TOLERANCE_VOXELS};
pub use orientation::Orientation;
pub use resample::{Interpolation, resample, resample_labels, resample_moved, resample_to_spacing};
pub use volume::{Mask, Volume};
