//! Images of other programs: FreeSurfer's MGH (`.mgh`, `.mgz`), NRRD (`.nrrd`, `.nhdr`) and MetaImage (`.mha`, `.mhd`).
//!
//! Their headers become a [`Header`] like that of a NIfTI file, so that every check of size and place and the reading of
//! voxels are the same, and outputs carry the image's place. The content decides, not the name.

mod metaimage;
mod mgh;
mod nrrd;
mod text;

use std::io::{Cursor, Read};
use std::path::{Component, Path, PathBuf};

use super::parse::{HeaderFault, Raw};
use super::source::{Packing, Source};
use super::{DataType, Header, Spatial, limits};
use crate::{Affine, Grid, VolumeError};

/// The longest header of text: 3D Slicer writes a line for each of many segments.
const LONGEST_TEXT: usize = 1 << 20;

/// A format that is no NIfTI and is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Mgh,
    Nrrd,
    MetaImage,
}

/// What a header says, before it is checked.
struct Described {
    data_type: DataType,
    big_endian: bool,
    /// Lengths of the axes, the fastest first.
    lengths: Vec<u64>,
    place: Place,
    voxels: Voxels,
}

/// Where the image is.
enum Place {
    /// The rows of the affine to RAS+ millimetres.
    Known([[f64; 4]; 3]),
    /// Voxel sizes in millimetres alone.
    Sizes([f64; 3]),
}

/// Where the voxels are.
#[derive(Clone, Debug, PartialEq)]
struct Voxels {
    /// The name of a file beside the header; none where they follow it.
    file: Option<String>,
    packing: Packing,
    /// Bytes before them, of what is unpacked; none where they end with the file.
    skipped: Option<u64>,
}

impl Format {
    /// The format of a file that begins so.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"NRRD0") {
            Some(Self::Nrrd)
        } else if bytes.starts_with(b"\0\0\0\x01\0\0") {
            Some(Self::Mgh)
        } else {
            metaimage::begins(bytes).then_some(Self::MetaImage)
        }
    }

    /// What is described, and how long the header is.
    fn parse(self, bytes: &[u8]) -> Result<(Described, usize), HeaderFault> {
        match self {
            Self::Mgh => mgh::parse(bytes),
            Self::Nrrd => nrrd::parse(bytes),
            Self::MetaImage => metaimage::parse(bytes),
        }
    }

    fn header_is_whole(self, bytes: &[u8]) -> bool {
        match self {
            Self::Mgh => true,
            Self::Nrrd => text::end_of_nrrd(bytes).is_some(),
            Self::MetaImage => text::end_of_metaimage(bytes).is_some(),
        }
    }
}

impl Described {
    fn check(self, header_bytes: usize) -> Result<Header, HeaderFault> {
        let broken = |reason: &str| HeaderFault::Broken(reason.to_owned());
        let mut dims = [1; 8];
        dims[0] = self.lengths.len() as i64;
        for (dim, &length) in dims[1..].iter_mut().zip(&self.lengths) {
            *dim = i64::try_from(length).map_err(|_| broken("an axis is longer than any file"))?;
        }
        let spatial = match self.place {
            Place::Known([x, y, z]) => {
                let affine = Affine::from_rows([x, y, z, [0.0, 0.0, 0.0, 1.0]]);
                let none = || format!("the axes of its voxels have no inverse: {:?}", [x, y, z]);
                let affine = affine.ok_or_else(|| HeaderFault::Broken(none()))?;
                let shape = std::array::from_fn(|axis| dims[axis + 1].max(1) as usize);
                if let Ok(grid) = Grid::new(shape, affine) {
                    limits::check_size(&grid, None).map_err(HeaderFault::Broken)?;
                }
                Spatial::of(&affine)
            }
            Place::Sizes(sizes) => Spatial::of_sizes(sizes),
        };
        let raw = Raw {
            dims,
            data_type: i32::from(self.data_type.code()),
            vox_offset: self.voxels.skipped.unwrap_or(0) as f64,
            slope: 1.0,
            intercept: 0.0,
            header_bytes,
        };
        raw.check(self.big_endian, false, spatial)
    }
}

impl Source {
    /// Parses the header of another format than NIfTI, which begins with `bytes`, and leaves the reader where `vox_offset`
    /// counts from.
    pub(super) fn other_format(
        &mut self,
        format: Format,
        mut bytes: Vec<u8>,
    ) -> Result<Header, VolumeError> {
        while !format.header_is_whole(&bytes) && bytes.len() < LONGEST_TEXT {
            let before = bytes.len();
            let outcome = self.by_ref().take(1 << 16).read_to_end(&mut bytes);
            outcome.map_err(|source| self.stream_fault(source, 0))?;
            if bytes.len() == before {
                break;
            }
        }
        let path = self.path.clone();
        let (described, header_bytes) =
            format.parse(&bytes).map_err(|fault| fault.of(path.clone()))?;
        let voxels = described.voxels.clone();
        let mut header = described.check(header_bytes).map_err(|fault| fault.of(path.clone()))?;
        header.tags_follow = format == Format::Mgh;
        self.start = Cursor::new(bytes);
        let from_end = voxels.skipped.is_none();
        if let Some(name) = &voxels.file {
            let file = beside(&path, name).map_err(|fault| fault.of(path.clone()))?;
            self.turn_to(&file, 0, voxels.packing)?;
        } else if voxels.packing != Packing::None {
            if self.is_packed() {
                let (what, remedy) =
                    ("packed voxels in a packed file", "unpack it once with gunzip");
                return Err(HeaderFault::Unsupported(what.into(), remedy.into()).of(path));
            }
            let file = self.file.clone();
            self.turn_to(&file, header_bytes as u64, voxels.packing)?;
        } else {
            header.vox_offset += header_bytes as u64;
        }
        if from_end {
            header.vox_offset = match self.length.checked_sub(header.data_bytes()) {
                Some(first) if !self.is_packed() => first,
                Some(_) => {
                    let what = "packed voxels that are counted from the end of the file";
                    return Err(HeaderFault::Unsupported(what.into(), SAVE_AGAIN.into()).of(path));
                }
                None => {
                    let expected_bytes = header.data_bytes();
                    return Err(VolumeError::Truncated { path, expected_bytes });
                }
            };
        }
        Ok(header)
    }
}

const SAVE_AGAIN: &str = "save it again as NIfTI with the program that made it";

/// A kind of file that is not read, and how to make one that is.
fn unsupported<T>(what: impl Into<String>) -> Result<T, HeaderFault> {
    Err(HeaderFault::Unsupported(what.into(), SAVE_AGAIN.to_owned()))
}

/// The file of the voxels, which must not lead anywhere else than to the header's folder or one in it.
fn beside(header: &Path, name: &str) -> Result<PathBuf, HeaderFault> {
    let relative = Path::new(name);
    let mut parts = relative.components();
    if name.is_empty()
        || !parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    {
        let reason = format!(
            "its voxels are said to be in {name:?}; put them beside the header and name the file there"
        );
        return Err(HeaderFault::Broken(reason));
    }
    Ok(header.with_file_name(relative))
}
