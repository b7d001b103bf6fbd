//! JPEG 2000, with and without loss (ITU-T T.800).

use std::panic::{AssertUnwindSafe, catch_unwind};

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::{Fault, samples};
use crate::header::PixelFormat;

/// Start of codestream and the size marker, with which a codestream begins, inside of a JP2 file too.
const BEGIN: [u8; 4] = [0xFF, 0x4F, 0xFF, 0x51];
const CODING_STYLE: u16 = 0xFF52;
const CODING_STYLE_OF_COMPONENT: u16 = 0xFF53;
const START_OF_TILE_PART: u16 = 0xFF90;
const START_OF_DATA: u16 = 0xFF93;
/// Precincts and code blocks of fewer samples take more memory than the image; encoders make 64 × 64.
const FEWEST_SAMPLES: u64 = 64;
/// So many precincts are allowed whatever the size of the image: small resolutions have small ones.
const FREE_PRECINCTS: u64 = 4096;

/// Decodes a frame.
///
/// # Errors
/// What is wrong with the fragment.
pub fn decode(fragment: &[u8], shape: [usize; 2], format: PixelFormat) -> Result<Vec<u8>, Fault> {
    let damaged = |reason: &str| Fault::Damaged(format!("damaged JPEG 2000 data ({reason})"));
    let start = fragment.windows(4).position(|four| four == BEGIN);
    let stream = &fragment[start.ok_or_else(|| damaged("no codestream"))?..];
    let size = Size::of(stream).ok_or_else(|| damaged("it ends early"))?;
    if size.shape != shape.map(|side| side as u64) {
        let [columns, rows] = size.shape;
        return Err(damaged(&format!("an image of {columns} × {rows}")));
    }
    if !size.is_plain || size.bits > 16 {
        return Err(Fault::NotRead("JPEG 2000 of colours or of more than 16 bits".to_owned()));
    }
    if !blocks_are_sane(stream, size.shape) {
        return Err(damaged("its parts are too small"));
    }
    // What a decoder of others does with damaged data is its own affair; the program goes on.
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        let image = Image::new(stream, &DecodeSettings { strict: true, ..Default::default() })?;
        let mut context = DecoderContext::default();
        let decoded = image.decode(&mut context)?;
        Ok(decoded.components().iter().map(|one| one.samples().to_vec()).collect::<Vec<_>>())
    }));
    let components = decoded
        .map_err(|_| damaged("the decoder failed"))?
        .map_err(|error: hayro_jpeg2000::DecodeError| damaged(&error.to_string()))?;
    let [component] = &components[..] else { return Err(damaged("several images")) };
    if component.len() != shape[0] * shape[1] {
        return Err(damaged("pixels are missing"));
    }
    // The decoder takes all numbers for unsigned ones.
    let low = if size.is_signed { 1_i64 << (size.bits - 1) } else { 0 };
    let most = (1_i64 << size.bits) - 1;
    let stored = component.iter().map(|&value| (value.round() as i64).clamp(0, most) - low);
    Ok(samples(stored, format))
}

/// What the size marker says.
struct Size {
    shape: [u64; 2],
    bits: u32,
    is_signed: bool,
    /// One component that has a sample for each pixel.
    is_plain: bool,
}

impl Size {
    fn of(stream: &[u8]) -> Option<Self> {
        let [x1, y1, x0, y0] = [8, 12, 16, 20].map(|at| u32_at(stream, at));
        let [depth, across, down] = [42, 43, 44].map(|at| stream.get(at).copied());
        let depth = depth?;
        Some(Self {
            shape: [x1?.checked_sub(x0?)?, y1?.checked_sub(y0?)?],
            bits: u32::from(depth & 0x7F) + 1,
            is_signed: depth & 0x80 != 0,
            is_plain: u16_at(stream, 40)? == 1 && across? == 1 && down? == 1,
        })
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u16_at(bytes, at)?) << 16 | u64::from(u16_at(bytes, at.checked_add(2)?)?))
}

/// Whether precincts and code blocks of all headers are large enough for the decoder to need no more memory than a small
/// multiple of the image. Headers that end early are left to the decoder.
fn blocks_are_sane(stream: &[u8], shape: [u64; 2]) -> bool {
    let mut at = 2;
    let mut tile_part_end = None;
    loop {
        let (Some(marker), Some(length)) = (u16_at(stream, at), u16_at(stream, at + 2)) else {
            return true;
        };
        match marker {
            START_OF_TILE_PART => {
                let part = u32_at(stream, at + 6).unwrap_or(0) as usize;
                let end = if part == 0 { stream.len() } else { at.saturating_add(part) };
                tile_part_end = Some(end.min(stream.len()));
            }
            START_OF_DATA => match tile_part_end.take() {
                Some(end) if end > at => {
                    at = end;
                    continue;
                }
                _ => return true,
            },
            CODING_STYLE if !is_sane(stream, at + 4, 5, shape) => return false,
            CODING_STYLE_OF_COMPONENT if !is_sane(stream, at + 5, 1, shape) => return false,
            // Markers without a length.
            0xFF30..=0xFF3F => {
                at += 2;
                continue;
            }
            _ => {}
        }
        at += 2 + usize::from(length.max(2));
    }
}

/// Whether one coding style is so: its flags at `flags`, the number of decompositions `skip` bytes after them.
fn is_sane(stream: &[u8], flags: usize, skip: usize, shape: [u64; 2]) -> bool {
    let at = flags + skip;
    let byte = |at: usize| stream.get(at).copied().unwrap_or(0);
    let (levels, width, height) = (byte(at), byte(at + 1), byte(at + 2));
    if levels > 32 || width > 8 || height > 8 || 16 << (width + height) < FEWEST_SAMPLES {
        return false;
    }
    if byte(flags) & 1 == 0 {
        return true;
    }
    let pixels = shape[0] * shape[1];
    let count = (0..=levels).map(|resolution| {
        let exponents = byte(at + 5 + usize::from(resolution));
        let shrunk = |side: u64| (side >> (levels - resolution)) + 1;
        let along = |side: u64, exponent: u8| (shrunk(side) >> exponent) + 2;
        along(shape[0], exponents & 15) * along(shape[1], exponents >> 4)
    });
    count.sum::<u64>() <= pixels / FEWEST_SAMPLES + FREE_PRECINCTS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers of a codestream with one coding style: code blocks, and precincts of each resolution.
    fn stream(side: u32, block: [u8; 2], precincts: &[u8]) -> Vec<u8> {
        let sides = [side, side, 0, 0, side, side, 0, 0].map(u32::to_be_bytes).concat();
        let size = [&BEGIN[..], &[0, 41, 0, 0], &sides, &[0, 1, 11, 1, 1]].concat();
        let flags = u8::from(!precincts.is_empty());
        let style = [flags, 0, 0, 1, 0, 1, block[0], block[1], 0, 1];
        let length = 2 + style.len() as u8 + precincts.len() as u8;
        [&size[..], &[0xFF, 0x52, 0, length], &style, precincts, &[0xFF, 0x93]].concat()
    }

    #[test]
    fn parts_that_would_take_more_memory_than_the_image_are_refused() {
        let is_sane = |block, precincts: &[u8]| {
            let stream = stream(1024, block, precincts);
            assert_eq!(Size::of(&stream).unwrap().shape, [1024, 1024]);
            blocks_are_sane(&stream, [1024, 1024])
        };
        // 64 × 64, alone and in precincts of 128 × 128; the smallest of the standard are 4 × 4 and of one sample.
        assert!(is_sane([4, 4], &[]));
        assert!(is_sane([4, 4], &[0x77, 0x77]));
        assert!(!is_sane([0, 0], &[]));
        assert!(!is_sane([4, 4], &[0x77, 0x00]));
    }
}
