//! The header: parsed from, and written to, its 348 (version 1) or 540 (version 2) bytes.

use super::codec::{Fields, put};
use super::{AffineSource, DataType, Spatial};
use crate::{Affine, Grid, VolumeError};

pub(super) const SIZE_1: usize = 348;
pub(super) const SIZE_2: usize = 540;
/// The longest axis that version 1 can hold.
const LONGEST_AXIS_1: usize = i16::MAX as usize;

/// What a NIfTI header says, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    pub(super) dims: Vec<usize>,
    pub(super) data_type: DataType,
    pub(super) slope: f64,
    pub(super) intercept: f64,
    pub(super) vox_offset: u64,
    pub(super) big_endian: bool,
    /// Voxels follow in the same file, not in an `.img`.
    pub(super) single_file: bool,
    pub(super) spatial: Spatial,
    pub(super) grid: Grid,
    pub(super) affine_source: AffineSource,
}

/// Why bytes are no header.
pub(super) enum HeaderFault {
    /// Not NIfTI at all.
    Foreign(String),
    /// NIfTI with an impossible field.
    Broken(String),
    /// A kind that is not supported: what, and the remedy.
    Unsupported(String, String),
}

impl Header {
    /// The header of a new file for voxels that are in memory. Its grid is the one that a reader of the file gets: the
    /// affine is rounded to single precision, which is what the file holds.
    ///
    /// # Errors
    /// If no file can describe the grid.
    pub fn of(grid: &Grid) -> Result<Self, VolumeError> {
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

    /// The number of bytes all voxels take, uncompressed.
    pub(super) fn data_bytes(&self) -> u64 {
        self.dims.iter().map(|&length| length as u64).product::<u64>()
            * self.data_type.bytes() as u64
    }

    /// Parses the first bytes of a header file. `bytes` may be shorter than a header.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, HeaderFault> {
        if bytes.len() < SIZE_1 {
            return Err(HeaderFault::Foreign(format!(
                "it holds {} bytes and a header takes {SIZE_1}",
                bytes.len()
            )));
        }
        let size = |big_endian| Fields { bytes, big_endian }.i32(0);
        match (size(false), size(true)) {
            (348, _) => Self::parse_1(&Fields { bytes, big_endian: false }),
            (_, 348) => Self::parse_1(&Fields { bytes, big_endian: true }),
            (540, _) => Self::parse_2(&Fields { bytes, big_endian: false }),
            (_, 540) => Self::parse_2(&Fields { bytes, big_endian: true }),
            _ => Err(HeaderFault::Foreign(format!("it begins with {}", shown(&bytes[..12])))),
        }
    }

    fn parse_1(fields: &Fields<'_>) -> Result<Self, HeaderFault> {
        let single_file = match &fields.bytes[344..348] {
            b"n+1\0" => true,
            b"ni1\0" => false,
            _ => {
                return Err(HeaderFault::Unsupported(
                    "an Analyze 7.5 header (it does not say which side is left)".to_owned(),
                    "convert the original images with dcm2niix".to_owned(),
                ));
            }
        };
        let vector = |at: usize| std::array::from_fn(|n| f64::from(fields.f32(at + 4 * n)));
        let spatial = Spatial {
            qform_code: i32::from(fields.i16(252)),
            sform_code: i32::from(fields.i16(254)),
            qfac: f64::from(fields.f32(76)),
            pixdim: vector(80),
            quaternion: vector(256),
            offset: vector(268),
            srow: [280, 296, 312]
                .map(|at| std::array::from_fn(|n| f64::from(fields.f32(at + 4 * n)))),
            units: fields.bytes[123],
        };
        let raw = Raw {
            dims: std::array::from_fn(|n| i64::from(fields.i16(40 + 2 * n))),
            data_type: i32::from(fields.i16(70)),
            vox_offset: f64::from(fields.f32(108)),
            slope: f64::from(fields.f32(112)),
            intercept: f64::from(fields.f32(116)),
            first_voxel: SIZE_1 + 4,
        };
        raw.check(fields.big_endian, single_file, spatial)
    }

    fn parse_2(fields: &Fields<'_>) -> Result<Self, HeaderFault> {
        if fields.bytes.len() < SIZE_2 {
            return Err(HeaderFault::Foreign("its NIfTI-2 header is cut short".to_owned()));
        }
        let single_file = match &fields.bytes[4..8] {
            b"n+2\0" => true,
            b"ni2\0" => false,
            other => {
                return Err(HeaderFault::Foreign(format!("its NIfTI-2 magic is {}", shown(other))));
            }
        };
        let vector = |at: usize| std::array::from_fn(|n| fields.f64(at + 8 * n));
        let spatial = Spatial {
            qform_code: fields.i32(344),
            sform_code: fields.i32(348),
            qfac: fields.f64(104),
            pixdim: vector(112),
            quaternion: vector(352),
            offset: vector(376),
            srow: [400, 432, 464].map(|at| std::array::from_fn(|n| fields.f64(at + 8 * n))),
            units: fields.i32(500) as u8,
        };
        let raw = Raw {
            dims: std::array::from_fn(|n| fields.i64(16 + 8 * n)),
            data_type: i32::from(fields.i16(12)),
            vox_offset: fields.i64(168) as f64,
            slope: fields.f64(176),
            intercept: fields.f64(184),
            first_voxel: SIZE_2 + 4,
        };
        raw.check(fields.big_endian, single_file, spatial)
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

/// Fields as read, before any check.
struct Raw {
    dims: [i64; 8],
    data_type: i32,
    vox_offset: f64,
    slope: f64,
    intercept: f64,
    first_voxel: usize,
}

impl Raw {
    fn check(
        self,
        big_endian: bool,
        single_file: bool,
        spatial: Spatial,
    ) -> Result<Header, HeaderFault> {
        let broken = |reason: String| Err(HeaderFault::Broken(reason));
        let axes = self.dims[0];
        if !(1..=7).contains(&axes) {
            return broken(format!("dim[0] (the number of axes) is {axes}, not 1 to 7"));
        }
        let dims = &self.dims[1..=axes as usize];
        if dims.iter().any(|&length| length < 1) {
            return broken(format!("an axis has no voxels (dim {dims:?})"));
        }
        let data_type = DataType::from_code(self.data_type).map_err(|what| {
            let remedy = if what == "complex data" {
                "save magnitude and phase as two real images"
            } else {
                "convert it to 16-bit integers or 32-bit floats"
            };
            HeaderFault::Unsupported(what, remedy.to_owned())
        })?;
        let total = dims
            .iter()
            .try_fold(data_type.bytes() as i64, |product, &length| product.checked_mul(length));
        if total.is_none_or(|bytes| bytes > 1 << 46) {
            return broken(format!(
                "its axes (dim {dims:?}) announce more voxels than any file holds"
            ));
        }
        let dims: Vec<usize> = dims.iter().map(|&length| length as usize).collect();
        if !self.slope.is_finite() || !self.intercept.is_finite() {
            return broken(format!(
                "scl_slope is {} and scl_inter is {}; set them to 1 and 0 if the voxels are not scaled",
                self.slope, self.intercept
            ));
        }
        let (slope, intercept) =
            if self.slope == 0.0 { (1.0, 0.0) } else { (self.slope, self.intercept) };

        let first = if single_file { self.first_voxel as f64 } else { 0.0 };
        if !(self.vox_offset >= first && self.vox_offset < 1e12) {
            return broken(format!(
                "vox_offset (where the voxels begin) is {}, not at least {first}",
                self.vox_offset
            ));
        }
        let shape = std::array::from_fn(|axis| dims.get(axis).copied().unwrap_or(1));
        let (affine, affine_source): (Affine, _) =
            spatial.affine(shape).map_err(HeaderFault::Broken)?;
        let grid =
            Grid::new(shape, affine).map_err(|fault| HeaderFault::Broken(fault.to_string()))?;
        Ok(Header {
            dims,
            data_type,
            slope,
            intercept,
            vox_offset: self.vox_offset as u64,
            big_endian,
            single_file,
            spatial,
            grid,
            affine_source,
        })
    }
}

fn bytes_1(
    grid: &Grid,
    spatial: &Spatial,
    data_type: DataType,
    slope: f64,
    intercept: f64,
) -> Vec<u8> {
    let mut bytes = vec![0; SIZE_1 + 4];
    let header = bytes.as_mut_slice();
    let [nx, ny, nz] = grid.shape().map(|length| length as i16);
    put(header, 0, &(SIZE_1 as i32).to_le_bytes());
    for (n, length) in [3, nx, ny, nz, 1, 1, 1, 1].into_iter().enumerate() {
        put(header, 40 + 2 * n, &length.to_le_bytes());
    }
    put(header, 70, &data_type.code().to_le_bytes());
    put(header, 72, &(8 * data_type.bytes() as i16).to_le_bytes());
    let [px, py, pz] = spatial.pixdim;
    for (n, size) in [spatial.qfac, px, py, pz, 1.0, 1.0, 1.0, 1.0].into_iter().enumerate() {
        put(header, 76 + 4 * n, &(size as f32).to_le_bytes());
    }
    put(header, 108, &((SIZE_1 + 4) as f32).to_le_bytes());
    put(header, 112, &(slope as f32).to_le_bytes());
    put(header, 116, &(intercept as f32).to_le_bytes());
    header[123] = spatial.units;
    put(header, 148, b"deepmir");
    put(header, 252, &(spatial.qform_code as i16).to_le_bytes());
    put(header, 254, &(spatial.sform_code as i16).to_le_bytes());
    let numbers =
        spatial.quaternion.iter().chain(&spatial.offset).chain(spatial.srow.iter().flatten());
    for (n, &number) in numbers.enumerate() {
        put(header, 256 + 4 * n, &(number as f32).to_le_bytes());
    }
    put(header, 344, b"n+1\0");
    bytes
}

fn bytes_2(
    grid: &Grid,
    spatial: &Spatial,
    data_type: DataType,
    slope: f64,
    intercept: f64,
) -> Vec<u8> {
    let mut bytes = vec![0; SIZE_2 + 4];
    let header = bytes.as_mut_slice();
    let [nx, ny, nz] = grid.shape().map(|length| length as i64);
    put(header, 0, &(SIZE_2 as i32).to_le_bytes());
    put(header, 4, b"n+2\0\r\n\x1a\n");
    put(header, 12, &data_type.code().to_le_bytes());
    put(header, 14, &(8 * data_type.bytes() as i16).to_le_bytes());
    for (n, length) in [3, nx, ny, nz, 1, 1, 1, 1].into_iter().enumerate() {
        put(header, 16 + 8 * n, &length.to_le_bytes());
    }
    let [px, py, pz] = spatial.pixdim;
    for (n, size) in [spatial.qfac, px, py, pz, 1.0, 1.0, 1.0, 1.0].into_iter().enumerate() {
        put(header, 104 + 8 * n, &size.to_le_bytes());
    }
    put(header, 168, &((SIZE_2 + 4) as i64).to_le_bytes());
    put(header, 176, &slope.to_le_bytes());
    put(header, 184, &intercept.to_le_bytes());
    put(header, 240, b"deepmir");
    put(header, 344, &spatial.qform_code.to_le_bytes());
    put(header, 348, &spatial.sform_code.to_le_bytes());
    let numbers =
        spatial.quaternion.iter().chain(&spatial.offset).chain(spatial.srow.iter().flatten());
    for (n, number) in numbers.enumerate() {
        put(header, 352 + 8 * n, &number.to_le_bytes());
    }
    put(header, 500, &i32::from(spatial.units).to_le_bytes());
    bytes
}

/// Bytes as text where they are text, else as hexadecimal.
fn shown(bytes: &[u8]) -> String {
    if bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        format!("the text {:?}", String::from_utf8_lossy(bytes))
    } else {
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("the bytes {}", digits.join(" "))
    }
}
