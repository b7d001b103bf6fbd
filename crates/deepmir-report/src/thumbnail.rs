//! Small copies of pictures on disk.

use std::io::Cursor;
use std::path::Path;

use crate::subject::data_url;
use crate::{Canvas, ReportError};

/// Width of a small copy.
const WIDTH: u32 = 420;
const JPEG_QUALITY: u8 = 80;
/// Larger pictures are refused, for a damaged header may ask for any size.
const MOST_PIXELS: u64 = 1 << 27;

/// A PNG file made small, as a `data:` address.
///
/// # Errors
/// If it cannot be read or encoded.
pub fn thumbnail(path: &Path) -> Result<String, ReportError> {
    let fault =
        |reason: String| ReportError::Draw { reason: format!("{reason}: {}", path.display()) };
    let bytes = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
    let picture = decode(&bytes).map_err(fault)?;
    let (width, height) = picture.size();
    let small = WIDTH.min(width);
    let tall = (u64::from(height) * u64::from(small) / u64::from(width)).max(1) as u32;
    Ok(data_url("image/jpeg", &shrunk(&picture, small, tall).jpeg_of(JPEG_QUALITY)?))
}

/// The picture of a PNG file; transparency is ignored.
fn decode(bytes: &[u8]) -> Result<Canvas, String> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
    let (width, height) = reader.info().size();
    let size = reader
        .output_buffer_size()
        .filter(|_| u64::from(width) * u64::from(height) <= MOST_PIXELS)
        .ok_or_else(|| format!("a picture of {width} × {height} pixels is too large"))?;
    let mut samples = vec![0; size];
    let frame = reader.next_frame(&mut samples).map_err(|error| error.to_string())?;
    let channels = frame.color_type.samples();
    let mut canvas = Canvas::new(width, height);
    for (place, pixel) in samples.chunks_exact(channels).enumerate() {
        let colour = match pixel {
            &[red, green, blue, ..] => [red, green, blue],
            &[grey, ..] => [grey; 3],
            [] => continue,
        };
        canvas.set(place as u32 % width, place as u32 / width, colour);
    }
    Ok(canvas)
}

/// A picture of another size, no larger: each pixel is the mean of the area that it covers.
fn shrunk(picture: &Canvas, width: u32, height: u32) -> Canvas {
    let (wide, tall) = picture.size();
    let columns: Vec<_> = (0..width).map(|x| covered(x, wide, width)).collect();
    let area = u64::from(wide) * u64::from(tall);
    let mut small = Canvas::new(width, height);
    for y in 0..height {
        let rows = covered(y, tall, height);
        for (x, columns) in columns.iter().enumerate() {
            let mut sums = [0_u64; 3];
            for &(row, high) in &rows {
                for &(column, broad) in columns {
                    let colour = picture.get(column, row);
                    for (sum, part) in sums.iter_mut().zip(colour) {
                        *sum += high * broad * u64::from(part);
                    }
                }
            }
            small.set(x as u32, y, sums.map(|sum| ((sum + area / 2) / area) as u8));
        }
    }
    small
}

/// Which of `long` pixels a pixel of the `short` ones covers, and how much of each, in parts of
/// `1 / short`. The parts sum to `long`.
fn covered(place: u32, long: u32, short: u32) -> Vec<(u32, u64)> {
    let (long, short) = (u64::from(long), u64::from(short));
    let (start, end) = (u64::from(place) * long, (u64::from(place) + 1) * long);
    (start / short..end.div_ceil(short))
        .map(|pixel| {
            let part = end.min((pixel + 1) * short) - start.max(pixel * short);
            (pixel as u32, part)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn striped() -> Canvas {
        let mut canvas = Canvas::new(6, 4);
        for y in 0..4 {
            for x in 0..6 {
                canvas.set(x, y, [(x * 40) as u8, (y * 60) as u8, 7]);
            }
        }
        canvas
    }

    #[test]
    fn a_pixel_is_the_mean_of_the_area_it_covers() {
        let half = shrunk(&striped(), 3, 2);
        assert_eq!(half.get(0, 0), [20, 30, 7]);
        assert_eq!(half.get(2, 1), [180, 150, 7]);
        // Six columns in four: the second covers half of pixel 1 and the whole of pixel 2.
        assert_eq!(covered(1, 6, 4), [(1, 2), (2, 4)]);
        assert_eq!(shrunk(&striped(), 4, 4).get(1, 0), [67, 0, 7]);
        let same = shrunk(&striped(), 6, 4);
        assert!((0..6).all(|x| same.get(x, 3) == striped().get(x, 3)));
    }

    #[test]
    fn a_png_is_read_as_it_was_written() {
        let canvas = decode(&striped().png().unwrap()).unwrap();
        assert_eq!(canvas.size(), (6, 4));
        assert!((0..24).all(|n| canvas.get(n % 6, n / 6) == striped().get(n % 6, n / 6)));
    }

    #[test]
    fn grey_pictures_are_read_as_well() {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(&[9, 200]).unwrap();
        let canvas = decode(&bytes).unwrap();
        assert_eq!([canvas.get(0, 0), canvas.get(1, 0)], [[9; 3], [200; 3]]);
    }

    #[test]
    fn a_broken_png_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mosaic.png");
        let whole = striped().png().unwrap();
        for length in 0..whole.len() - 12 {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = thumbnail(&path).unwrap_err().to_string();
            assert!(error.ends_with("mosaic.png"), "{length} bytes: {error}");
        }
        std::fs::write(&path, &whole).unwrap();
        assert!(thumbnail(&path).unwrap().starts_with("data:image/jpeg;base64,/9j/"));
        let error = thumbnail(&folder.path().join("none.png")).unwrap_err().to_string();
        assert!(error.contains("No such file"), "{error}");
    }

    #[test]
    fn no_single_wrong_byte_panics() {
        let whole = striped().png().unwrap();
        for place in 0..whole.len() {
            for flip in [1, 0x80, 0xff] {
                let mut broken = whole.clone();
                broken[place] ^= flip;
                let _ = decode(&broken);
            }
        }
    }

    #[test]
    fn a_header_that_asks_for_too_much_is_an_error() {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 1 << 20, 1 << 20);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header().unwrap();
        writer.write_chunk(png::chunk::IDAT, &[0x78, 1]).unwrap();
        drop(writer);
        let error = decode(&bytes).unwrap_err();
        assert!(error.contains("too large"), "{error}");
    }
}
