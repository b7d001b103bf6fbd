//! MetaImage, as ITK and its programs write it: lines of `key = value`, whose axes run to the left, back and top.
//! <https://itk.org/Wiki/ITK/MetaIO/Documentation>

use super::super::parse::HeaderFault;
use super::text::{Fields, end_of_metaimage};
use super::{Described, Packing, Place, Voxels, unsupported};
use crate::nifti::DataType;

/// The keys that such a header begins with.
const FIRST: [&[u8]; 4] = [b"ObjectType", b"NDims", b"Comment", b"DimSize"];

/// Whether a file begins as a MetaImage does.
pub(super) fn begins(bytes: &[u8]) -> bool {
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let Some(equals) = line.iter().position(|&byte| byte == b'=') else { return false };
    FIRST.contains(&line[..equals].trim_ascii())
}

pub(super) fn parse(bytes: &[u8]) -> Result<(Described, usize), HeaderFault> {
    let length = end_of_metaimage(bytes).unwrap_or(bytes.len());
    let fields = Fields::of("MetaImage", &bytes[..length], "=");
    let is_true =
        |keys: &[&str]| fields.get(keys).is_some_and(|text| matches!(text, "True" | "true" | "1"));
    if fields.get(&["objecttype"]).is_some_and(|kind| !kind.eq_ignore_ascii_case("image")) {
        return unsupported("a MetaIO file that is no image");
    }
    let axes = fields.need(&["ndims"])?;
    if !matches!(axes, "3" | "4") {
        return unsupported(format!("a MetaImage of {axes} axes"));
    }
    let lengths = fields.lengths(&["dimsize"], axes)?;
    let axes = lengths.len();
    if fields.whole(&["elementnumberofchannels"], 1)? != 1 {
        return unsupported("a MetaImage that holds several values a voxel");
    }
    if fields.get(&["binarydata"]).is_some_and(|text| matches!(text, "False" | "false" | "0")) {
        return unsupported("a MetaImage whose voxels are text");
    }
    let data_type = match fields.need(&["elementtype"])? {
        "MET_CHAR" => DataType::I8,
        "MET_UCHAR" => DataType::U8,
        "MET_SHORT" => DataType::I16,
        "MET_USHORT" => DataType::U16,
        "MET_INT" | "MET_LONG" => DataType::I32,
        "MET_UINT" | "MET_ULONG" => DataType::U32,
        "MET_LONG_LONG" => DataType::I64,
        "MET_ULONG_LONG" => DataType::U64,
        "MET_FLOAT" => DataType::F32,
        "MET_DOUBLE" => DataType::F64,
        other => return unsupported(format!("MetaImage data of type {other}")),
    };
    let file = match fields.need(&["elementdatafile"])? {
        "LOCAL" | "Local" | "local" => None,
        name if name.starts_with("LIST") || name.contains('%') => {
            return unsupported("a MetaImage that names several files of voxels");
        }
        name => Some(name.to_owned()),
    };
    let packing = if is_true(&["compresseddata"]) { Packing::Zlib } else { Packing::None };
    let skipped = match fields.whole(&["headersize"], 0)? {
        -1 if file.is_some() => None,
        count if file.is_some() && count > 0 => Some(count as u64),
        _ => Some(0),
    };
    let big_endian = is_true(&["binarydatabyteordermsb", "elementbyteordermsb"]);
    let place = place(&fields, axes)?;
    let voxels = Voxels { file, packing, skipped };
    Ok((Described { data_type, big_endian, lengths, place, voxels }, length))
}

fn place(fields: &Fields, axes: usize) -> Result<Place, HeaderFault> {
    let numbers = |keys: &[&str], count: usize, otherwise: &dyn Fn(usize) -> f64| match fields
        .numbers(keys)?
    {
        None => Ok((0..count).map(otherwise).collect()),
        Some(found) if found.len() == count => Ok(found),
        Some(found) => {
            Err(fields.broken(&format!("has {} numbers of {}, not {count}", found.len(), keys[0])))
        }
    };
    let sizes = numbers(&["elementspacing", "elementsize"], axes, &|_| 1.0)?;
    let origin = numbers(&["offset", "position", "origin"], axes, &|_| 0.0)?;
    let identity = |place: usize| f64::from(u8::from(place.is_multiple_of(axes + 1)));
    let turned = numbers(&["transformmatrix", "rotation", "orientation"], axes * axes, &identity)?;
    let signs = [-1.0, -1.0, 1.0];
    // The direction of an axis is a row of the matrix.
    let row = |row: usize| {
        let along = |column: usize| signs[row] * turned[column * axes + row] * sizes[column];
        [along(0), along(1), along(2), signs[row] * origin[row]]
    };
    Ok(Place::Known([row(0), row(1), row(2)]))
}
