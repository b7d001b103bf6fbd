//! NRRD, as 3D Slicer and Teem write it: text, an empty line, voxels; or text that names the file of the voxels.
//! <https://teem.sourceforge.net/nrrd/format.html>

use super::super::parse::HeaderFault;
use super::text::{Fields, end_of_nrrd};
use super::{Described, Packing, Place, Voxels, unsupported};
use crate::nifti::DataType;

pub(super) fn parse(bytes: &[u8]) -> Result<(Described, usize), HeaderFault> {
    let detached = |fields: &Fields| fields.get(&["data file", "datafile"]).map(str::to_owned);
    let end = end_of_nrrd(bytes);
    let length = end.unwrap_or(bytes.len());
    let fields = Fields::of("NRRD", &bytes[..length], ":");
    let file = detached(&fields);
    if end.is_none() && file.is_none() {
        return Err(fields.broken("has no end (an empty line)"));
    }
    let data_type = data_type(fields.need(&["type"])?)?;
    let dimension = fields.need(&["dimension"])?;
    if !matches!(dimension, "3" | "4") {
        return unsupported(format!("an NRRD file of {dimension} axes"));
    }
    let lengths = fields.lengths(&["sizes"], dimension)?;
    let packing = match fields.need(&["encoding"])?.to_ascii_lowercase().as_str() {
        "raw" => Packing::None,
        "gzip" | "gz" => Packing::Gzip,
        other => return unsupported(format!("an NRRD file with the encoding {other}")),
    };
    let big_endian = match fields.get(&["endian"]).map(str::to_ascii_lowercase).as_deref() {
        Some("little") => false,
        Some("big") => true,
        _ if data_type.bytes() == 1 => false,
        _ => return Err(fields.broken("does not say its byte order (endian)")),
    };
    if fields.whole(&["line skip", "lineskip"], 0)? != 0 {
        return unsupported("an NRRD file whose voxels follow lines of text (line skip)");
    }
    let skipped = match fields.whole(&["byte skip", "byteskip"], 0)? {
        -1 => None,
        count => Some(u64::try_from(count).map_err(|_| fields.broken("has a negative byte skip"))?),
    };
    let name = file.as_deref().unwrap_or_default();
    if name.starts_with("LIST") || name.contains('%') {
        return unsupported("an NRRD header that names several files of voxels");
    }
    let place = place(&fields, lengths.len())?;
    let voxels = Voxels { file, packing, skipped };
    Ok((Described { data_type, big_endian, lengths, place, voxels }, length))
}

fn data_type(name: &str) -> Result<DataType, HeaderFault> {
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name.split_whitespace().collect();
    Ok(match words.as_slice() {
        ["signed", "char"] | ["int8" | "int8_t"] => DataType::I8,
        ["unsigned", "char"] | ["uchar" | "uint8" | "uint8_t"] => DataType::U8,
        ["signed", "short"]
        | ["signed", "short", "int"]
        | ["short", "int"]
        | ["short" | "int16" | "int16_t"] => DataType::I16,
        ["unsigned", "short"]
        | ["unsigned", "short", "int"]
        | ["ushort" | "uint16" | "uint16_t"] => DataType::U16,
        ["signed", "int"] | ["int" | "int32" | "int32_t"] => DataType::I32,
        ["unsigned", "int"] | ["uint" | "uint32" | "uint32_t"] => DataType::U32,
        ["signed", "long", "long"]
        | ["signed", "long", "long", "int"]
        | ["long", "long"]
        | ["long", "long", "int"]
        | ["longlong" | "int64" | "int64_t"] => DataType::I64,
        ["unsigned", "long", "long"]
        | ["unsigned", "long", "long", "int"]
        | ["ulonglong" | "uint64" | "uint64_t"] => DataType::U64,
        ["float"] => DataType::F32,
        ["double"] => DataType::F64,
        _ => return unsupported(format!("NRRD data of type {name:?}")),
    })
}

/// Where the image is; sizes alone if it does not say which way is left.
fn place(fields: &Fields, axes: usize) -> Result<Place, HeaderFault> {
    let directions = match fields.get(&["space directions"]) {
        Some(text) => Some(vectors(text).ok_or_else(|| {
            fields.broken(&format!("has space directions {text:?}, which are no vectors"))
        })?),
        None => None,
    };
    if let Some(directions) = &directions {
        let is_series = directions.len() == 4 && directions[3].is_none();
        if directions.len() != axes || (axes == 4 && !is_series) {
            let what =
                "an NRRD file that holds several values a voxel, or whose axes have no direction";
            return unsupported(what);
        }
    }
    let directions: Option<Vec<[f64; 3]>> =
        directions.map(|found| found.into_iter().flatten().collect());
    if directions.as_ref().is_some_and(|found| found.len() != 3) {
        return Err(fields.broken("has no direction for each of three axes"));
    }
    let spacings = fields.numbers(&["spacings"])?.filter(|sizes| sizes.len() == axes);
    let spacings: Option<[f64; 3]> = spacings.map(|sizes| std::array::from_fn(|axis| sizes[axis]));
    let signs = match fields.get(&["space"]).map(str::to_ascii_lowercase).as_deref() {
        Some("right-anterior-superior" | "ras") => [1.0, 1.0, 1.0],
        Some("left-anterior-superior" | "las") => [-1.0, 1.0, 1.0],
        Some("left-posterior-superior" | "lps") => [-1.0, -1.0, 1.0],
        Some(other) => {
            return unsupported(format!("the NRRD space {other:?}, which has no left side"));
        }
        None => {
            let norm =
                |direction: [f64; 3]| direction.iter().map(|part| part * part).sum::<f64>().sqrt();
            let sizes = directions.map(|found| std::array::from_fn(|axis| norm(found[axis])));
            let sizes = sizes.or(spacings);
            return match sizes {
                Some(sizes) => Ok(Place::Sizes(sizes)),
                None => Err(fields.broken("does not say its space directions, nor spacings")),
            };
        }
    };
    if let Some(unit) = fields.get(&["space units"])
        && unit
            .split('"')
            .any(|word| !matches!(word.trim(), "" | "mm" | "millimeter" | "millimetre"))
    {
        return unsupported(format!("an NRRD file in {unit}"));
    }
    let directions = match (directions, spacings) {
        (Some(found), _) => found,
        (None, Some([x, y, z])) => vec![[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, z]],
        (None, None) => return Err(fields.broken("does not say its space directions")),
    };
    let origin = match fields.get(&["space origin"]) {
        Some(text) => match vectors(text).as_deref() {
            Some(&[Some(origin)]) => origin,
            _ => return Err(fields.broken(&format!("has the space origin {text:?}"))),
        },
        None => [0.0; 3],
    };
    let row = |row: usize| {
        let along = |column: usize| signs[row] * directions[column][row];
        [along(0), along(1), along(2), signs[row] * origin[row]]
    };
    Ok(Place::Known([row(0), row(1), row(2)]))
}

/// Vectors `(x,y,z)`, and none for each `none`.
fn vectors(text: &str) -> Option<Vec<Option<[f64; 3]>>> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("none") {
            found.push(None);
            rest = after.trim_start();
            continue;
        }
        let (inside, after) = rest.strip_prefix('(')?.split_once(')')?;
        let parts: Result<Vec<f64>, _> =
            inside.split(',').map(|part| part.trim().parse()).collect();
        found.push(Some(parts.ok()?.try_into().ok()?));
        rest = after.trim_start();
    }
    Some(found)
}
