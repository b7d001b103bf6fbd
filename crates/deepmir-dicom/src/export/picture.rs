//! The picture of the lesions as a secondary capture.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use png::{ColorType, Decoder, Limits, Transformations};

use super::common::{Kind, NOT_A_DEVICE, Uids, base};
use super::result::ScanResult;
use super::source::Source;
use crate::DicomError;
use crate::object::{Object, tags};

/// No picture that is written has more bytes.
const MOST_BYTES: usize = 256 << 20;

/// The object.
///
/// # Errors
/// If the picture cannot be read.
pub fn object(
    path: &Path,
    source: &Source<'_>,
    result: &ScanResult,
    uids: &Uids,
) -> Result<Object, DicomError> {
    let ([columns, rows], pixels) = read(path)?;
    Ok(base(Kind::Picture, source, result, uids)
        .text(tags::CONVERSION_TYPE, "WSD")
        .text(tags::IMAGE_TYPE, "DERIVED\\SECONDARY")
        .text(tags::PATIENT_ORIENTATION, "")
        .text(tags::LATERALITY, "")
        .text(
            tags::DERIVATION_DESCRIPTION,
            &format!("Slices with outlined lesions. {NOT_A_DEVICE}"),
        )
        .text(tags::BURNED_IN_ANNOTATION, "NO")
        .short(tags::SAMPLES_PER_PIXEL, 3)
        .text(tags::PHOTOMETRIC_INTERPRETATION, "RGB")
        .short(tags::PLANAR_CONFIGURATION, 0)
        .short(tags::ROWS, rows)
        .short(tags::COLUMNS, columns)
        .short(tags::BITS_ALLOCATED, 8)
        .short(tags::BITS_STORED, 8)
        .short(tags::HIGH_BIT, 7)
        .short(tags::PIXEL_REPRESENTATION, 0)
        .bytes(tags::PIXEL_DATA, pixels))
}

/// Columns and rows, and red, green and blue of each pixel.
fn read(path: &Path) -> Result<([u16; 2], Vec<u8>), DicomError> {
    let fault = |reason: String| DicomError::Results { path: path.to_owned(), reason };
    let file =
        File::open(path).map_err(|source| DicomError::Read { path: path.to_owned(), source })?;
    let mut decoder = Decoder::new_with_limits(BufReader::new(file), Limits { bytes: MOST_BYTES });
    decoder.set_transformations(Transformations::normalize_to_color8() | Transformations::STRIP_16);
    let damaged = |error: png::DecodingError| {
        fault(format!("no picture that can be read ({error}); predict again"))
    };
    let mut reader = decoder.read_info().map_err(damaged)?;
    let size = reader.output_buffer_size().filter(|&size| size <= MOST_BYTES);
    let mut raw = vec![0; size.ok_or_else(|| fault("a picture of too many pixels".into()))?];
    let info = reader.next_frame(&mut raw).map_err(damaged)?;
    raw.truncate(info.buffer_size());
    let (Ok(columns), Ok(rows)) = (u16::try_from(info.width), u16::try_from(info.height)) else {
        return Err(fault("a picture of too many pixels".into()));
    };
    let pixels = match info.color_type {
        ColorType::Rgb => raw,
        ColorType::Rgba => {
            raw.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
        }
        ColorType::Grayscale => raw.iter().flat_map(|&grey| [grey; 3]).collect(),
        ColorType::GrayscaleAlpha => raw.chunks_exact(2).flat_map(|pixel| [pixel[0]; 3]).collect(),
        ColorType::Indexed => return Err(fault("a picture with a palette".into())),
    };
    Ok(([columns, rows], pixels))
}
