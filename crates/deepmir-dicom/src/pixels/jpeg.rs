//! JPEG lossless, as most archives compress MR images, and JPEG of 8 bits with loss.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jpeg_decoder::{Decoder, PixelFormat as Decoded};

use crate::header::PixelFormat;

/// Decodes a frame.
///
/// # Errors
/// What is wrong with the fragment.
pub fn decode(fragment: &[u8], shape: [usize; 2], format: PixelFormat) -> Result<Vec<u8>, String> {
    let width = (format.allocated / 8) as usize;
    let length = shape[0] * shape[1] * width;
    // What a decoder of others does with damaged data is its own affair; the program goes on.
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        let mut decoder = Decoder::new(fragment);
        decoder.set_max_decoding_buffer_size(length.max(1));
        decoder.read_info()?;
        let info = decoder.info();
        decoder.decode().map(|bytes| (info, bytes))
    }));
    let damaged = |reason: String| format!("damaged JPEG data ({reason})");
    let (info, bytes) = decoded
        .map_err(|_| damaged("the decoder failed".to_owned()))?
        .map_err(|error| damaged(error.to_string()))?;
    let info = info.ok_or_else(|| damaged("no image".to_owned()))?;
    if [usize::from(info.width), usize::from(info.height)] != shape {
        return Err(damaged(format!("an image of {} × {}", info.width, info.height)));
    }
    match (info.pixel_format, width) {
        (Decoded::L8, 1) if bytes.len() == length => Ok(bytes),
        (Decoded::L8, 2) if bytes.len() * 2 == length => {
            Ok(bytes.iter().flat_map(|&byte| [byte, 0]).collect())
        }
        (Decoded::L16, 2) if bytes.len() == length => {
            let pair = |pair: &[u8]| u16::from_ne_bytes([pair[0], pair[1]]).to_le_bytes();
            Ok(bytes.chunks_exact(2).flat_map(pair).collect())
        }
        _ => Err(damaged("pixels of another kind than the header says".to_owned())),
    }
}
