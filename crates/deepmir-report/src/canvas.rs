//! A small pixel canvas: grey images, outlines, text.

use std::path::Path;

use deepmir_lesion::LesionClass;
use deepmir_volume::atomic;
use font8x8::{BASIC_FONTS, UnicodeFonts};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

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
    width: u32,
    height: u32,
    /// Row by row from the upper left corner.
    pixels: Vec<[u8; 3]>,
}

impl Canvas {
    /// A black picture.
    pub fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        Self { width, height, pixels: vec![[0; 3]; width as usize * height as usize] }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Colours a pixel; outside the picture nothing happens.
    pub fn set(&mut self, x: u32, y: u32, colour: [u8; 3]) {
        if let Some(place) = self.place(x, y) {
            self.pixels[place] = colour;
        }
    }

    /// The colour of a pixel; black outside the picture.
    pub fn get(&self, x: u32, y: u32) -> [u8; 3] {
        self.place(x, y).map_or([0; 3], |place| self.pixels[place])
    }

    fn place(&self, x: u32, y: u32) -> Option<usize> {
        let inside = x < self.width && y < self.height;
        inside.then(|| y as usize * self.width as usize + x as usize)
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
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder
            .write_header()
            .and_then(|mut writer| {
                writer.write_image_data(self.pixels.as_flattened())?;
                writer.finish()
            })
            .map_err(|error| ReportError::Draw { reason: error.to_string() })?;
        Ok(bytes)
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
        let fault = |reason: String| ReportError::Draw { reason };
        let (Ok(width), Ok(height)) = (u16::try_from(self.width), u16::try_from(self.height))
        else {
            let size = format!("{} × {}", self.width, self.height);
            return Err(fault(format!("{size} pixels are more than a JPEG holds")));
        };
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, quality);
        // Outlines are a pixel wide: their colour is not averaged.
        encoder.set_sampling_factor(SamplingFactor::F_1_1);
        encoder
            .encode(self.pixels.as_flattened(), width, height, ColorType::Rgb)
            .map_err(|error| fault(error.to_string()))?;
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
