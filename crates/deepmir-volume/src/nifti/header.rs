//! What a header says.

use std::path::Path;

use super::encode::{bytes_1, bytes_2};
use super::{AffineSource, DataType, HeaderNotes, Spatial, limits};
use crate::{Grid, VolumeError, Warning};

/// The longest axis that version 1 can hold.
const LONGEST_AXIS_1: usize = i16::MAX as usize;

/// What a NIfTI header says, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    pub(super) dims: Vec<usize>,
    pub(super) data_type: DataType,
    pub(super) slope: f64,
    pub(super) intercept: f64,
    /// Where the voxels begin, as the file says.
    pub(super) vox_offset: u64,
    /// How long the header itself is.
    pub(super) header_bytes: u64,
    pub(super) big_endian: bool,
    /// Voxels follow in the same file, not in an `.img`.
    pub(super) single_file: bool,
    /// What follows the voxels is no image: tags of another format.
    pub(super) tags_follow: bool,
    pub(super) spatial: Spatial,
    pub(super) grid: Grid,
    pub(super) affine_source: AffineSource,
    /// What was noticed, without the name of the file.
    pub(super) notes: Vec<Warning>,
}

impl Header {
    /// The header of a new file for voxels that are in memory. Its grid is the one that a reader of the file gets: the
    /// affine is rounded to single precision, which is what the file holds.
    ///
    /// # Errors
    /// If no file can describe the grid, or no head can have its voxels.
    pub fn of(grid: &Grid) -> Result<Self, VolumeError> {
        limits::check_size(grid, None).map_err(|reason| VolumeError::Geometry { reason })?;
        let bytes = Self::bytes_for(grid, &Spatial::of(grid.affine()), DataType::F32, 1.0, 0.0);
        Self::parse(&bytes).map_err(|_| VolumeError::Shape { shape: grid.shape() })
    }

    /// Voxels along each axis, and their place.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// All axes' lengths as in the file (at least one; trailing ones of length 1 kept).
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// How many 3D volumes the file holds.
    pub fn volume_count(&self) -> usize {
        self.dims.iter().skip(3).product()
    }

    /// How voxels are stored.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// What stored values are multiplied by on reading (1 if the header sets none).
    pub fn slope(&self) -> f64 {
        self.slope
    }

    /// What is added to stored values after the slope.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// The spatial fields.
    pub fn spatial(&self) -> &Spatial {
        &self.spatial
    }

    /// Which fields gave the affine.
    pub fn affine_source(&self) -> AffineSource {
        self.affine_source
    }

    /// What was noticed in the header, and in the bytes around the voxels if these were read too: a side that is a guess, a
    /// place that is told in two ways, bytes that were ignored. `path` is the file that the messages name.
    pub fn warnings(&self, path: &Path) -> Vec<Warning> {
        let mut notes = HeaderNotes::default();
        notes.add(path, self);
        notes.warnings()
    }

    /// Notes something about the file.
    pub(super) fn note(&mut self, code: &str, message: impl Into<String>) {
        self.notes.push(Warning::new(code, message));
    }

    /// The number of bytes all voxels take, uncompressed.
    pub(super) fn data_bytes(&self) -> u64 {
        self.dims.iter().map(|&length| length as u64).product::<u64>()
            * self.data_type.bytes() as u64
    }

    /// The bytes of a single-file little-endian header (with the empty extension flag) for one
    /// volume: version 1, or 2 if an axis is too long for it.
    pub(super) fn bytes_for(
        grid: &Grid,
        spatial: &Spatial,
        data_type: DataType,
        slope: f64,
        intercept: f64,
    ) -> Vec<u8> {
        if grid.shape().iter().any(|&length| length > LONGEST_AXIS_1) {
            bytes_2(grid, spatial, data_type, slope, intercept)
        } else {
            bytes_1(grid, spatial, data_type, slope, intercept)
        }
    }

    /// Whether `grid` is the one this header describes, so that an output may carry its fields.
    pub(super) fn describes(&self, grid: &Grid) -> bool {
        self.grid.same_as(grid)
    }
}
