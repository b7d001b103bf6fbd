//! A small pixel canvas: grey images, outlines, text.

use std::io::Cursor;
use std::path::Path;

use deepmir_lesion::LesionClass;
use deepmir_volume::atomic;
use font8x8::{BASIC_FONTS, UnicodeFonts};
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, Rgb, RgbImage};

use crate::ReportError;

const JPEG_QUALITY: u8 = 88;

/// The colour of a class: vermilion and sky blue of Okabe and Ito's palette, which colour-blind
/// readers distinguish, on grey and from each other.
pub fn class_colour(class: LesionClass) -> [u8; 3] {
    match class {
        LesionClass::Cmb => [213, 94, 0],
        LesionClass::Nhid => [86, 180, 233],
    }
}

/// A picture being drawn.
///
/// ```
/// let mut canvas = deepmir_report::Canvas::new(40, 12);
/// canvas.text(2, 2, "SWI", [255; 3]);
/// assert!(canvas.png()?.starts_with(b"\x89PNG"));
/// # Ok::<(), deepmir_report::ReportError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Canvas {
    pixels: RgbImage,
}

impl Canvas {
    /// A black picture.
    pub fn new(width: u32, height: u32) -> Self {
        Self { pixels: RgbImage::new(width.max(1), height.max(1)) }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.pixels.dimensions()
    }

    /// Colours a pixel; outside the picture nothing happens.
    pub fn set(&mut self, x: u32, y: u32, colour: [u8; 3]) {
        if x < self.pixels.width() && y < self.pixels.height() {
            self.pixels.put_pixel(x, y, Rgb(colour));
        }
    }

    /// The colour of a pixel; black outside the picture.
    pub fn get(&self, x: u32, y: u32) -> [u8; 3] {
        self.pixels.get_pixel_checked(x, y).map_or([0; 3], |pixel| pixel.0)
    }

    /// Writes a line of text with its upper left corner at `(x, y)`: 8 × 8 pixels a letter.
    pub fn text(&mut self, x: u32, y: u32, text: &str, colour: [u8; 3]) {
        for (n, letter) in text.chars().enumerate() {
            let glyph = BASIC_FONTS.get(letter).or_else(|| BASIC_FONTS.get('?')).unwrap_or([0; 8]);
            for (row, bits) in glyph.into_iter().enumerate() {
                for column in 0..8 {
                    if bits >> column & 1 == 1 {
                        self.set(x + 8 * n as u32 + column, y + row as u32, colour);
                    }
                }
            }
        }
    }

    /// The picture as PNG.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub fn png(&self) -> Result<Vec<u8>, ReportError> {
        let mut bytes = Cursor::new(Vec::new());
        self.pixels
            .write_to(&mut bytes, ImageFormat::Png)
            .map_err(|error| ReportError::Draw { reason: error.to_string() })?;
        Ok(bytes.into_inner())
    }

    /// The picture as JPEG, for pages that would grow too large.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub fn jpeg(&self) -> Result<Vec<u8>, ReportError> {
        self.jpeg_of(JPEG_QUALITY)
    }

    /// As [`Canvas::jpeg`], of a quality from 1 to 100.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub fn jpeg_of(&self, quality: u8) -> Result<Vec<u8>, ReportError> {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, quality)
            .encode_image(&self.pixels)
            .map_err(|error| ReportError::Draw { reason: error.to_string() })?;
        Ok(bytes)
    }

    /// Writes a PNG file.
    ///
    /// # Errors
    /// If it cannot be encoded or written.
    pub fn write_png(&self, path: &Path) -> Result<(), ReportError> {
        atomic::write(path, &self.png()?)
            .map_err(|source| ReportError::Write { path: path.to_owned(), source })
    }
}
