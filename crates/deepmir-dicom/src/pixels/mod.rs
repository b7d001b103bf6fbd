//! Pixel data: one plane of stored numbers.

mod jpeg;
mod jpeg2000;
mod jpegls;
mod rle;

use std::borrow::Cow;
use std::path::Path;

use crate::DicomError;
use crate::header::{Frame, PixelFormat};
use crate::parse::tags::PIXEL_DATA;
use crate::parse::{Encoding, Parsed};

/// Why a frame cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What is wrong with its bytes.
    Damaged(String),
    /// What they are, which is not read.
    NotRead(String),
}

impl From<&str> for Fault {
    fn from(reason: &str) -> Self {
        Self::Damaged(reason.to_owned())
    }
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self::Damaged(reason)
    }
}

impl Fault {
    /// With the file.
    pub fn of(self, path: &Path) -> DicomError {
        let path = path.to_owned();
        match self {
            Self::Damaged(reason) => DicomError::Damaged { path, reason },
            Self::NotRead(syntax) => DicomError::Syntax { path, syntax },
        }
    }
}

/// The bytes of a frame as stored, decompressed, little endian.
///
/// # Errors
/// What is wrong with them.
pub fn frame_bytes<'a>(parsed: &Parsed<'a>, frame: &Frame) -> Result<Cow<'a, [u8]>, Fault> {
    let format = frame.header.pixel;
    let [columns, rows] = frame.plane.shape;
    let pixels = columns * rows;
    let length = pixels * (format.allocated / 8) as usize;
    let bytes = parsed.dataset.bytes(PIXEL_DATA).ok_or("it has no pixel data")?;
    if parsed.encoding == Encoding::Plain {
        let start = frame.number * length;
        let part = bytes.get(start..start + length);
        let short = || {
            format!(
                "{} bytes of pixels, of which frame {} needs {}",
                bytes.len(),
                frame.number + 1,
                start + length
            )
        };
        return Ok(part.map(Cow::Borrowed).ok_or_else(short)?);
    }
    let fragments = parsed.dataset.fragments();
    let fragment: Cow<'a, [u8]> = match (frame.number, &fragments[..]) {
        (0, [only]) => Cow::Borrowed(*only),
        // One frame in several fragments is allowed for JPEG; of several frames each has one.
        (0, several) if parsed.dataset.frame_count() <= 1 => Cow::Owned(several.concat()),
        (_, several) if several.len() > parsed.dataset.frame_count() => {
            return Err(Fault::NotRead("a frame in several fragments".to_owned()));
        }
        (number, several) => Cow::Borrowed(
            several
                .get(number)
                .copied()
                .ok_or_else(|| format!("no pixels of frame {}", number + 1))?,
        ),
    };
    match &parsed.encoding {
        Encoding::Rle => Ok(rle::decode(&fragment, pixels, (format.allocated / 8) as usize)?),
        Encoding::JpegLossy if format.stored > 8 => {
            Err(Fault::NotRead(format!("JPEG of {} bits with loss", format.stored)))
        }
        Encoding::JpegLossless | Encoding::JpegLossy => {
            Ok(jpeg::decode(&fragment, frame.plane.shape, format)?)
        }
        Encoding::JpegLs => jpegls::decode(&fragment, frame.plane.shape, format),
        Encoding::Jpeg2000 => jpeg2000::decode(&fragment, frame.plane.shape, format),
        Encoding::Plain | Encoding::Other(_) => Err("its pixels are compressed".into()),
    }
    .map(Cow::Owned)
}

/// The bytes of stored numbers.
fn samples(stored: impl Iterator<Item = i64>, format: PixelFormat) -> Vec<u8> {
    let width = (format.allocated / 8) as usize;
    stored.flat_map(|value| value.to_le_bytes().into_iter().take(width)).collect()
}

/// The stored numbers of bytes.
pub fn numbers(bytes: &[u8], format: PixelFormat) -> impl Iterator<Item = i64> {
    let width = (format.allocated / 8) as usize;
    bytes.chunks_exact(width).map(move |chunk| {
        let raw = chunk.iter().rev().fold(0_u64, |raw, &byte| raw << 8 | u64::from(byte));
        // Bits above the highest may hold an overlay.
        let shift = format.high + 1 - format.stored;
        let value = (raw >> shift) & ((1 << format.stored) - 1);
        let negative = format.signed && value >> (format.stored - 1) == 1;
        value as i64 - if negative { 1 << format.stored } else { 0 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_that_do_not_count_are_left_out() {
        let format = |stored, high, signed| PixelFormat { allocated: 16, stored, high, signed };
        let of = |bytes: &[u8], format| numbers(bytes, format).collect::<Vec<_>>();
        assert_eq!(of(&[0xFF, 0xFF, 1, 0xF0], format(12, 11, false)), [4095, 1]);
        assert_eq!(of(&[0xFF, 0xFF, 1, 0x00], format(16, 15, true)), [-1, 1]);
        assert_eq!(of(&[0x00, 0x08, 0xFF, 0x07], format(12, 11, true)), [-2048, 2047]);
        assert_eq!(of(&[0xF0, 0xFF], format(12, 15, false)), [4095]);
        let wide = PixelFormat { allocated: 32, stored: 32, high: 31, signed: true };
        assert_eq!(of(&[0xFE, 0xFF, 0xFF, 0xFF], wide), [-2]);
    }
}
