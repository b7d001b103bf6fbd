//! The header's bytes, for a new file.

use super::codec::put;
use super::parse::{SIZE_1, SIZE_2};
use super::{DataType, Spatial};
use crate::Grid;

pub(super) fn bytes_1(
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

pub(super) fn bytes_2(
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
