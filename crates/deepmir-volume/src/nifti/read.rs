//! Reading.

use std::path::{Path, PathBuf};

use super::Header;
use super::source::Source;
use crate::{Volume, VolumeError};

/// A volume and the header it came with.
#[derive(Clone, Debug)]
pub struct Image<T> {
    /// The voxels, in the file's own orientation, slope and intercept applied.
    pub volume: Volume<T>,
    /// The header, to be carried over to outputs on the same grid.
    pub header: Header,
}

/// How to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadOptions {
    /// Read NaN and infinite voxels as zero instead of refusing the file.
    pub nan_to_zero: bool,
}

/// Reads one 3D volume. Axes after the third may be there if their length is 1.
///
/// # Errors
/// [`VolumeError`], naming the file: unreadable, not NIfTI, a broken or unsupported header, more
/// than one volume, truncated or damaged data, NaN or infinite voxels.
pub fn read(path: &Path) -> Result<Image<f32>, VolumeError> {
    read_with(path, &ReadOptions::default())
}

/// As [`read`], with options.
///
/// # Errors
/// As [`read`].
pub fn read_with(path: &Path, options: &ReadOptions) -> Result<Image<f32>, VolumeError> {
    let mut source = Source::open(path)?;
    let mut header = source.one_volume()?;
    let mut data = source.decode(&mut header, |value| value as f32)?;
    options.finish(&mut data, path)?;
    Ok(Image { volume: Volume::from_parts(header.grid, data), header })
}

/// Reads a 4D series (echoes, say): one volume an entry, all on the header's grid.
///
/// # Errors
/// As [`read`], but for the number of volumes.
pub fn read_series(
    path: &Path,
    options: &ReadOptions,
) -> Result<(Header, Vec<Volume<f32>>), VolumeError> {
    let mut source = Source::open(path)?;
    let mut header = source.header()?;
    let mut data = source.decode(&mut header, |value| value as f32)?;
    options.finish(&mut data, path)?;
    let volumes = data
        .chunks_exact(header.grid.len())
        .map(|volume| Volume::from_parts(header.grid, volume.to_vec()))
        .collect();
    Ok((header, volumes))
}

/// Reads one 3D volume of whole numbers: a label map or mask, whatever type it is stored in.
///
/// # Errors
/// As [`read`], and if a voxel is no whole number within ±2³¹.
pub fn read_integers(path: &Path) -> Result<Image<i32>, VolumeError> {
    let mut source = Source::open(path)?;
    let mut header = source.one_volume()?;
    let (mut fractions, mut example) = (0, 0.0);
    let data = source.decode(&mut header, |value| {
        // Slopes such as 1/255 leave rounding noise on whole numbers.
        let whole = value.round();
        if (value - whole).abs() > 1e-3 || !(-2147483648.0..=2147483647.0).contains(&whole) {
            fractions += 1;
            example = value;
        }
        whole as i32
    })?;
    if fractions > 0 {
        return Err(VolumeError::NotIntegers { path: path.to_owned(), count: fractions, example });
    }
    Ok(Image { volume: Volume::from_parts(header.grid, data), header })
}

/// Reads the header alone: shape, place and type, without the voxels.
///
/// # Errors
/// As [`read`], but for the voxels.
pub fn read_header(path: &Path) -> Result<Header, VolumeError> {
    Source::open(path)?.header()
}

/// The file of an image's voxels where the header that was named is a file of its own (`.hdr`, `.nhdr`, `.mhd`); none where
/// they are in one file, and where it cannot be read.
pub fn voxels_beside(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    if ![".hdr", ".hdr.gz", ".nhdr", ".mhd"].iter().any(|ending| name.ends_with(ending)) {
        return None;
    }
    let mut source = Source::open(path).ok()?;
    source.header().ok()?;
    (source.file != path).then_some(source.file)
}

impl ReadOptions {
    /// Checks the voxels of a file for NaN and infinity, or sets those to zero, as the options say.
    ///
    /// # Errors
    /// [`VolumeError::NonFinite`] with `path`, unless they are to be read as zero.
    pub fn finish(&self, data: &mut [f32], path: &Path) -> Result<(), VolumeError> {
        let count = data.iter().filter(|value| !value.is_finite()).count();
        if count == 0 {
            return Ok(());
        }
        if !self.nan_to_zero {
            return Err(VolumeError::NonFinite { path: path.to_owned(), count, total: data.len() });
        }
        for value in data.iter_mut().filter(|value| !value.is_finite()) {
            *value = 0.0;
        }
        Ok(())
    }
}
