//! FreeSurfer's MGH: 284 bytes of header, big-endian, voxels, then tags, which are not read.
//! <https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat>

use super::super::codec::Fields;
use super::super::parse::HeaderFault;
use super::{Described, Packing, Place, Voxels, unsupported};
use crate::nifti::DataType;

const HEADER: usize = 284;
/// Where the direction cosines of x begin; those of y and z and the middle of the image follow.
const COSINES: usize = 42;

pub(super) fn parse(bytes: &[u8]) -> Result<(Described, usize), HeaderFault> {
    if bytes.len() < HEADER {
        let held = bytes.len();
        let reason =
            format!("its MGH header ends after {held} of {HEADER} bytes; copy the file again");
        return Err(HeaderFault::Broken(reason));
    }
    let fields = Fields { bytes, big_endian: true };
    let data_type = match fields.i32(20) {
        0 => DataType::U8,
        1 => DataType::I32,
        3 => DataType::F32,
        4 => DataType::I16,
        10 => DataType::U16,
        other => return unsupported(format!("MGH data of type {other}")),
    };
    let lengths = [4, 8, 12, 16].map(|at| fields.i32(at));
    if lengths.iter().any(|&length| length < 1) {
        return Err(HeaderFault::Broken(format!("its MGH header has axes of {lengths:?} voxels")));
    }
    let float = |at: usize| f64::from(fields.f32(at));
    let sizes = [30, 34, 38].map(float);
    let place = if fields.i16(28) > 0 {
        let rows = std::array::from_fn(|row| {
            let mut values = [0.0; 4];
            // The middle of the image, between voxels where there are as many on either side.
            values[3] = float(COSINES + 4 * (9 + row));
            for column in 0..3 {
                values[column] = float(COSINES + 4 * (3 * column + row)) * sizes[column];
                values[3] -= values[column] * f64::from(lengths[column]) / 2.0;
            }
            values
        });
        Place::Known(rows)
    } else {
        Place::Sizes(sizes)
    };
    let used = if lengths[3] > 1 { 4 } else { 3 };
    let described = Described {
        data_type,
        big_endian: true,
        lengths: lengths[..used].iter().map(|&length| length as u64).collect(),
        place,
        voxels: Voxels { file: None, packing: Packing::None, skipped: Some(0) },
    };
    Ok((described, HEADER))
}
