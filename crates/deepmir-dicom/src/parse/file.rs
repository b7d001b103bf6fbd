//! The file around a data set: preamble, meta information, encoding.

use std::path::Path;

use super::dataset::{Dataset, Fault};
use super::tags;
use crate::DicomError;
use crate::input::Input;

/// Enough of a file for the header of a single frame.
const HEAD_BYTES: u64 = 1 << 17;

/// How pixel data are stored, by the transfer syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As they are, little endian.
    Plain,
    /// RLE lossless.
    Rle,
    /// JPEG lossless (processes 14 and 14 SV1).
    JpegLossless,
    /// JPEG of 8 bits with loss (processes 1, 2 and 4).
    JpegLossy,
    /// JPEG-LS, lossless and near-lossless.
    JpegLs,
    /// JPEG 2000, with and without loss.
    Jpeg2000,
    /// One that is not read: its name.
    Other(String),
}

impl Encoding {
    /// The encoding, whether the VR is explicit, and whether elements can be read at all.
    fn of(uid: &str) -> (Self, bool, bool) {
        let other = |name: &str| Self::Other(name.to_owned());
        match uid {
            "1.2.840.10008.1.2" => (Self::Plain, false, true),
            "1.2.840.10008.1.2.1" => (Self::Plain, true, true),
            "1.2.840.10008.1.2.5" => (Self::Rle, true, true),
            "1.2.840.10008.1.2.4.57" | "1.2.840.10008.1.2.4.70" => (Self::JpegLossless, true, true),
            "1.2.840.10008.1.2.1.99" => (other("Deflated Explicit VR Little Endian"), true, false),
            "1.2.840.10008.1.2.2" => (other("Explicit VR Big Endian"), true, false),
            "1.2.840.10008.1.2.4.50" | "1.2.840.10008.1.2.4.51" => (Self::JpegLossy, true, true),
            "1.2.840.10008.1.2.4.80" | "1.2.840.10008.1.2.4.81" => (Self::JpegLs, true, true),
            "1.2.840.10008.1.2.4.90" | "1.2.840.10008.1.2.4.91" => (Self::Jpeg2000, true, true),
            uid => {
                let plain = uid.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
                let name = if plain { uid } else { "unknown" };
                (other(&format!("transfer syntax {name}")), true, true)
            }
        }
    }
}

/// A file taken apart.
pub struct Parsed<'a> {
    /// The elements.
    pub dataset: Dataset<'a>,
    /// How the pixel data are stored.
    pub encoding: Encoding,
    /// It lists other files, and is no image itself.
    pub is_directory: bool,
    /// The pixel data were reached.
    has_end: bool,
}

/// Reads a file's elements before the pixel data and gives them to `take`; `None` if it is no DICOM file.
///
/// # Errors
/// If it cannot be read, is damaged, or has an encoding whose elements are not read.
pub fn read_header<T>(
    input: &Input,
    take: impl FnOnce(&Parsed<'_>) -> T,
) -> Result<Option<T>, DicomError> {
    let (bytes, is_longer) = input.head(HEAD_BYTES)?;
    if !looks_like_dicom(&bytes) {
        return Ok(None);
    }
    let path = &input.path;
    if let Ok(parsed) = open(path, &bytes, true)
        && (parsed.has_end || !is_longer)
    {
        return Ok(Some(take(&parsed)));
    }
    let bytes = if is_longer { input.all()? } else { bytes };
    open(path, &bytes, true).map(|parsed| Some(take(&parsed)))
}

/// Takes the bytes of a file apart, up to the pixel data (`header_only`) or to the end.
///
/// # Errors
/// If it is damaged, or has an encoding whose elements are not read.
pub fn open<'a>(path: &Path, bytes: &'a [u8], header_only: bool) -> Result<Parsed<'a>, DicomError> {
    let damaged =
        |fault: Fault| DicomError::Damaged { path: path.to_owned(), reason: fault.to_string() };
    let (start, has_meta) = match bytes.get(128..132) {
        Some(b"DICM") => (132, true),
        _ => (0, bytes.first() == Some(&2)),
    };
    let rest = bytes.get(start..).unwrap_or_default();
    let mut said = None;
    let mut is_directory = false;
    let mut meta_bytes = 0;
    if has_meta {
        let (meta, read) = Dataset::parse(rest, true, |tag| tag >> 16 != 2).map_err(damaged)?;
        said = meta.text(tags::TRANSFER_SYNTAX_UID);
        let class = meta.text(tags::MEDIA_STORAGE_SOP_CLASS_UID);
        is_directory = class.as_deref() == Some("1.2.840.10008.1.3.10");
        meta_bytes = read;
    }
    let rest = rest.get(meta_bytes..).unwrap_or_default();
    let (encoding, explicit, readable) = match &said {
        Some(uid) => Encoding::of(uid),
        None => (Encoding::Plain, says_its_vr(rest), true),
    };
    if let (Encoding::Other(syntax), false) = (&encoding, readable) {
        return Err(DicomError::Syntax { path: path.to_owned(), syntax: syntax.clone() });
    }
    let stop = |tag| header_only && tag >= 0x7FE0_0000;
    let (dataset, read) = Dataset::parse(rest, explicit, stop).map_err(damaged)?;
    Ok(Parsed { dataset, encoding, is_directory, has_end: read < rest.len() })
}

/// `DICM` after the preamble; or no preamble, and the meta group or the identifying group at once.
fn looks_like_dicom(bytes: &[u8]) -> bool {
    let begins_with_a_group = match bytes.get(..8) {
        Some([8, 0, element, 0, vr @ ..]) => {
            *element <= 0x18 && (vr[0].is_ascii_uppercase() || vr[2] == 0 && vr[3] == 0)
        }
        Some([2, 0, 0, 0, b'U', b'L', 4, 0]) => true,
        _ => false,
    };
    bytes.get(128..132) == Some(b"DICM") || begins_with_a_group
}

fn says_its_vr(bytes: &[u8]) -> bool {
    bytes.get(4..6).is_some_and(|vr| vr.iter().all(u8::is_ascii_uppercase))
}
