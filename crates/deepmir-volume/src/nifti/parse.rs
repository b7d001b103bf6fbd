//! From the header's 348 (version 1) or 540 (version 2) bytes.

use std::path::PathBuf;

use super::codec::Fields;
use super::foreign::{Foreign, shown};
use super::{DataType, Header, Spatial, limits};
use crate::{Grid, VolumeError, Warning};

pub(super) const SIZE_1: usize = 348;
pub(super) const SIZE_2: usize = 540;

/// Why bytes are no header.
pub(super) enum HeaderFault {
    /// Not NIfTI at all.
    Foreign(Foreign),
    /// NIfTI with an impossible field.
    Broken(String),
    /// A kind that is not supported: what, and the remedy.
    Unsupported(String, String),
}

impl HeaderFault {
    /// The error of the file at `path`.
    pub fn of(self, path: PathBuf) -> VolumeError {
        match self {
            Self::Foreign(Foreign { reason, remedy }) => {
                VolumeError::NotNifti { path, reason, remedy }
            }
            Self::Broken(reason) => VolumeError::Header { path, reason },
            Self::Unsupported(what, remedy) => VolumeError::Unsupported { path, what, remedy },
        }
    }
}

impl Header {
    /// Parses the first bytes of a header file. `bytes` may be shorter than a header.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, HeaderFault> {
        if bytes.len() < SIZE_1 {
            let foreign = Foreign::recognise(bytes);
            let foreign = foreign.unwrap_or_else(|| Foreign::cut_short(bytes.len(), SIZE_1));
            return Err(HeaderFault::Foreign(foreign));
        }
        let fields = |big_endian| Fields { bytes, big_endian };
        let size = |big_endian| fields(big_endian).i32(0);
        match (size(false), size(true)) {
            (348, _) => Self::parse_1(&fields(false)),
            (_, 348) => Self::parse_1(&fields(true)),
            (540, _) => Self::parse_2(&fields(false)),
            (_, 540) => Self::parse_2(&fields(true)),
            (size, _) => {
                // NIfTI's own library goes by the magic alone, and takes the byte order from the number of axes.
                let little = (1..=7).contains(&fields(false).i16(40));
                if !(matches!(&bytes[344..348], b"n+1\0" | b"ni1\0")
                    && (little || (1..=7).contains(&fields(true).i16(40))))
                {
                    let unknown =
                        || Foreign::unknown(format!("it begins with {}", shown(&bytes[..12])));
                    return Err(HeaderFault::Foreign(
                        Foreign::recognise(bytes).unwrap_or_else(unknown),
                    ));
                }
                let mut header = Self::parse_1(&fields(!little))?;
                let size = if little { size } else { fields(true).i32(0) };
                header.note("header_size", format!("its sizeof_hdr is {size}, not {SIZE_1}"));
                Ok(header)
            }
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
            header_bytes: SIZE_1,
        };
        raw.check(fields.big_endian, single_file, spatial)
    }

    fn parse_2(fields: &Fields<'_>) -> Result<Self, HeaderFault> {
        if fields.bytes.len() < SIZE_2 {
            return Err(HeaderFault::Foreign(Foreign::cut_short(fields.bytes.len(), SIZE_2)));
        }
        let single_file = match &fields.bytes[4..8] {
            b"n+2\0" => true,
            b"ni2\0" => false,
            other => {
                let reason = format!("its NIfTI-2 magic is {}", shown(other));
                return Err(HeaderFault::Foreign(Foreign::unknown(reason)));
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
            header_bytes: SIZE_2,
        };
        raw.check(fields.big_endian, single_file, spatial)
    }
}

/// Fields as read, before any check.
pub(super) struct Raw {
    pub dims: [i64; 8],
    pub data_type: i32,
    pub vox_offset: f64,
    pub slope: f64,
    pub intercept: f64,
    pub header_bytes: usize,
}

impl Raw {
    pub fn check(
        self,
        big_endian: bool,
        single_file: bool,
        spatial: Spatial,
    ) -> Result<Header, HeaderFault> {
        let mut notes = Vec::new();
        let data_type = DataType::from_code(self.data_type).map_err(|what| {
            let remedy = if what == "complex data" {
                "save magnitude and phase as two real images"
            } else {
                "convert it to 16-bit integers or 32-bit floats"
            };
            HeaderFault::Unsupported(what, remedy.to_owned())
        })?;
        let dims = self.lengths(data_type).map_err(HeaderFault::Broken)?;
        let (slope, intercept) = self.scaling(&mut notes);
        if !(self.vox_offset >= 0.0 && self.vox_offset < 1e12) {
            return Err(HeaderFault::Broken(format!(
                "vox_offset (where the voxels begin) is {}, not at least {}",
                self.vox_offset,
                if single_file { self.header_bytes + 4 } else { 0 }
            )));
        }
        let shape = std::array::from_fn(|axis| dims.get(axis).copied().unwrap_or(1));
        let (affine, affine_source) =
            spatial.affine(shape, &mut notes).map_err(HeaderFault::Broken)?;
        let grid =
            Grid::new(shape, affine).map_err(|fault| HeaderFault::Broken(fault.to_string()))?;
        limits::check_size(&grid, Some(spatial.unit())).map_err(HeaderFault::Broken)?;
        Ok(Header {
            dims,
            data_type,
            slope,
            intercept,
            vox_offset: self.vox_offset as u64,
            header_bytes: self.header_bytes as u64,
            big_endian,
            single_file,
            tags_follow: false,
            spatial,
            grid,
            affine_source,
            notes,
        })
    }

    /// The lengths of the axes. Those after the third that are 0 are taken as 1, as NIfTI's own library takes them.
    fn lengths(&self, data_type: DataType) -> Result<Vec<usize>, String> {
        let axes = self.dims[0];
        if !(1..=7).contains(&axes) {
            return Err(format!("dim[0] (the number of axes) is {axes}, not 1 to 7"));
        }
        let dims = &self.dims[1..=axes as usize];
        if dims.iter().take(3).any(|&length| length < 1) {
            return Err(format!("an axis has no voxels (dim {dims:?})"));
        }
        let lengths = dims.iter().map(|&length| length.max(1));
        let bytes = data_type.bytes() as i64;
        let total = lengths.clone().try_fold(bytes, |product, length| product.checked_mul(length));
        if total.is_none_or(|bytes| bytes > 1 << 46) {
            return Err(format!(
                "its axes (dim {dims:?}) announce more voxels than any file holds"
            ));
        }
        Ok(lengths.map(|length| length as usize).collect())
    }

    /// Slope and intercept. A slope that is 0, NaN or infinite means that the voxels are not scaled, as it does to NIfTI's
    /// own library and to nibabel; many programs wrote NaN for years.
    fn scaling(&self, notes: &mut Vec<Warning>) -> (f64, f64) {
        let (slope, intercept) = (self.slope, self.intercept);
        let mut note = |message: String| notes.push(Warning::new("scaling", message));
        if slope.is_infinite() {
            note(format!("its scl_slope is {slope}: its voxels were not scaled"));
        }
        if slope == 0.0 || !slope.is_finite() {
            return (1.0, 0.0);
        }
        if slope < 0.0 {
            note(format!("its scl_slope is {slope}, which swaps bright and dark"));
        }
        if !intercept.is_finite() {
            note(format!("its scl_slope is {slope} and its scl_inter {intercept}: taken as 0"));
            return (slope, 0.0);
        }
        (slope, intercept)
    }
}
