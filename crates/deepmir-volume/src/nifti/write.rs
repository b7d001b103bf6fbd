//! Writing.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Header, Spatial, Voxel};
use crate::{Grid, Volume, VolumeError, atomic};

/// Writes a volume as single-file NIfTI, gzipped if the name ends in `.gz`. The grid's fields
/// (sform, qform, units) are those of `reference` where that is the same grid, bit for bit.
///
/// # Errors
/// If the file cannot be written; then nothing is left under its name.
pub fn write<T: Voxel>(
    path: &Path,
    volume: &Volume<T>,
    reference: Option<&Header>,
) -> Result<(), VolumeError> {
    write_voxels(path, volume.grid(), reference, 1.0, volume.data())
}

/// Writes values of 0 to `most` as 16-bit integers with a slope of `most`/65535: a quarter of the
/// size of floats when gzipped, and no value further than `most`/131070 from the truth. Values
/// outside are brought to the nearer end.
///
/// # Errors
/// As [`write`].
pub fn write_scaled(
    path: &Path,
    volume: &Volume<f32>,
    most: f32,
    reference: Option<&Header>,
) -> Result<(), VolumeError> {
    let steps = f32::from(u16::MAX);
    let stored: Vec<u16> = volume
        .data()
        .iter()
        .map(|&value| (value / most * steps).round().clamp(0.0, steps) as u16)
        .collect();
    write_voxels(path, volume.grid(), reference, f64::from(most) / f64::from(steps), &stored)
}

/// Writes values of −`most` to `most` as signed 16-bit integers with a slope of `most`/32767, zero
/// staying exactly zero: for phases, fields and susceptibilities. Values outside are brought to
/// the nearer end.
///
/// # Errors
/// As [`write`].
pub fn write_scaled_signed(
    path: &Path,
    volume: &Volume<f32>,
    most: f32,
    reference: Option<&Header>,
) -> Result<(), VolumeError> {
    let steps = f32::from(i16::MAX);
    let stored: Vec<i16> = volume
        .data()
        .iter()
        .map(|&value| (value / most * steps).round().clamp(-steps, steps) as i16)
        .collect();
    write_voxels(path, volume.grid(), reference, f64::from(most) / f64::from(steps), &stored)
}

/// The bytes of a single-file NIfTI, not gzipped: for sending rather than keeping.
pub fn encode<T: Voxel>(volume: &Volume<T>, reference: Option<&Header>) -> Vec<u8> {
    let grid = volume.grid();
    let mut bytes = Header::bytes_for(grid, &spatial(grid, reference), T::DATA_TYPE, 1.0, 0.0);
    bytes.reserve(grid.len() * size_of::<T>());
    volume.data().iter().for_each(|&voxel| voxel.append_to(&mut bytes));
    bytes
}

/// The reference's own fields where it has the same grid.
fn spatial(grid: &Grid, reference: Option<&Header>) -> Spatial {
    match reference {
        Some(header) if header.describes(grid) => header.spatial().clone(),
        _ => Spatial::of(grid.affine()),
    }
}

fn write_voxels<T: Voxel>(
    path: &Path,
    grid: &Grid,
    reference: Option<&Header>,
    slope: f64,
    voxels: &[T],
) -> Result<(), VolumeError> {
    let header = Header::bytes_for(grid, &spatial(grid, reference), T::DATA_TYPE, slope, 0.0);
    let gzip = path.extension().is_some_and(|ending| ending == "gz");
    atomic::write_with(path, |file| {
        if gzip {
            let mut encoder = GzEncoder::new(file, Compression::new(6));
            encoder.write_all(&header)?;
            write_all(&mut encoder, voxels)?;
            encoder.finish()?;
            Ok(())
        } else {
            file.write_all(&header)?;
            write_all(file, voxels)
        }
    })
    .map_err(|source| VolumeError::Write { path: path.to_owned(), source })
}

fn write_all<T: Voxel>(writer: &mut impl Write, voxels: &[T]) -> std::io::Result<()> {
    let mut bytes = Vec::with_capacity(1 << 18);
    for chunk in voxels.chunks((1 << 18) / size_of::<T>()) {
        bytes.clear();
        chunk.iter().for_each(|&voxel| voxel.append_to(&mut bytes));
        writer.write_all(&bytes)?;
    }
    Ok(())
}
