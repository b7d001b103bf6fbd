//! JPEG-LS, lossless and near-lossless (ITU-T T.87): grey images in one scan.

mod bits;
mod header;
mod scan;

use super::{Fault, samples};
use crate::header::PixelFormat;

/// Decodes a frame.
///
/// # Errors
/// What is wrong with the fragment.
pub fn decode(fragment: &[u8], shape: [usize; 2], format: PixelFormat) -> Result<Vec<u8>, Fault> {
    let (coding, data) = header::read(fragment)?;
    if coding.shape != shape {
        let [columns, rows] = coding.shape;
        return Err(damaged(&format!("an image of {columns} × {rows}")));
    }
    if format.signed && coding.bits < format.stored {
        return Err(damaged("fewer bits than the signed numbers of its header"));
    }
    let image = scan::decode(data, &coding)?;
    Ok(samples(image.into_iter().map(i64::from), format))
}

fn damaged(reason: &str) -> Fault {
    Fault::Damaged(format!("damaged JPEG-LS data ({reason})"))
}
